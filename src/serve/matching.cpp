#include "serve/matching.h"

#include <algorithm>
#include <utility>

#include "engine/session_options.h"

namespace zoomr {

namespace {

constexpr Pos kLeastKept = 16;  // tokens; fewer are read as quickly

// The end of the last line that ends at `pos` or before.
Pos line_end(const Timeline& timeline, Pos pos) {
  if (pos >= timeline.size()) return timeline.size();
  const auto line = timeline.line_at(pos);
  return line ? timeline.lines()[static_cast<std::size_t>(*line)].span.begin : 0;
}

// Keeps what is decoded of the first `same` tokens; the rest of them is read again.
GoOn keeping(const Conversation& kept, Pos same) {
  const Session& session = *kept.session;
  const Timeline& timeline = session.timeline();
  GoOn result{.keep = same == timeline.size()
                          ? same
                          : line_end(timeline, std::min(same, session.decoded())),
              .more = {}};
  const auto tokens = timeline.tokens();
  result.more.assign(tokens.begin() + result.keep, tokens.begin() + same);
  return result;
}

}  // namespace

std::optional<GoOn> by_messages(const Conversation& kept, const Turn& turn,
                                const Vocabulary& vocabulary) {
  const ServeRequest& request = turn.request;
  const std::size_t n = kept.messages.size();
  if (n == 0 || request.messages.size() <= n || !request.continuation) return std::nullopt;
  if (!std::equal(kept.messages.begin(), kept.messages.end(), request.messages.begin())) {
    return std::nullopt;
  }
  std::optional<Prompt> next;
  try {
    next = request.continuation(n);
  } catch (const std::exception&) {
    return std::nullopt;  // the template complains: as if it could not say
  }
  if (!next) return std::nullopt;
  GoOn result = keeping(kept, kept.n_said);
  next->add_special = false;  // the conversation has begun
  const std::vector<Token> tokens = tokens_of(*next, vocabulary);
  result.more.insert(result.more.end(), tokens.begin(), tokens.end());
  const Pos most = turn.options.max_positions;
  const Pos n_reply = request.n_predict < 0 ? most / 4 : std::min(request.n_predict, most / 4);
  const auto n_prompt = result.keep + static_cast<Pos>(result.more.size());
  const bool near_end = n_prompt + n_reply >= most;
  if (near_end && static_cast<Pos>(turn.tokens.size()) < n_prompt) return std::nullopt;
  return result;
}

std::optional<GoOn> by_tokens(const Conversation& kept, const Turn& turn) {
  const auto held = kept.session->timeline().tokens().first(static_cast<std::size_t>(kept.n_said));
  const auto differ =
      std::mismatch(held.begin(), held.end(), turn.tokens.begin(), turn.tokens.end());
  // At least one token is read, for the reply to begin with.
  const auto same = std::min(static_cast<Pos>(differ.first - held.begin()),
                             static_cast<Pos>(turn.tokens.size()) - 1);
  if (same < kLeastKept) return std::nullopt;
  GoOn result = keeping(kept, same);
  if (result.keep < kLeastKept) return std::nullopt;
  result.more.insert(result.more.end(), turn.tokens.begin() + same, turn.tokens.end());
  return result;
}

bool may_be_cut(const Conversation& kept, const Turn& turn, const GoOn& go_on) {
  const std::vector<std::string>& now = turn.request.messages;
  if (now.empty() || kept.messages.empty()) return 2 * go_on.keep >= kept.n_said;
  const auto differ =
      std::mismatch(now.begin(), now.end(), kept.messages.begin(), kept.messages.end());
  return differ.first == now.end() || differ.first - now.begin() >= 2;
}

}  // namespace zoomr
