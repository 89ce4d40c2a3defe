// A policy decides what a sequence holds: two pure functions, needs() and plan(), over data. The
// engine's loop never asks which policy runs. How to add one: CONTRIBUTING.md.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/attention_mass.h"
#include "core/capture.h"
#include "core/residency.h"
#include "core/thought_index.h"
#include "core/timeline.h"
#include "zoomr/policy_settings.h"

namespace zoomr {

// What happened at the tokens that are about to be decoded (needs) or were just decoded (plan).
struct Boundary {
  bool sentence = false;  // a line closed: a sentence or line end, or its greatest length
  bool thought = false;   // a thought closed
};

// How much chosen heads need each closed line, resident or not: the mean share of their attention
// that it would get if nothing were hidden. [lines] each; empty unless needed.
struct LineNeed {
  std::vector<float> now;    // value heads at the newest token: what it reads
  std::vector<float> order;  // order heads at it: which label; of no use later
  std::vector<float> soon;   // name heads at the newest token: what the next ones will read
  // The larger of now and soon, or what is left of an earlier token's: it fades.
  std::vector<float> kept;
  // Of a prompt that is read in pieces, "the newest token" is a whole piece: a line's need is the
  // largest of its tokens'.
  Pos tokens = 1;
  SpanSet came;  // lines that came in since the newest token was first decoded: they do not leave
};

// What the engine has seen so far.
struct Evidence {
  std::optional<VoteResult> vote;  // the last vote; stays until the next one
  std::vector<float> mass;         // [decoded] attention mass accumulated over steps, heads summed;
                                   // empty unless needed
  KeyLog keys;                     // of every decoded token; empty unless needed
  HeadLayout query_layout;
  struct Asked {
    Pos pos = 0;
    std::vector<float> queries;  // packed as query_layout says
  };
  std::deque<Asked> queries;  // of the newest tokens that asked, the newest last
  LineNeed lines;
  // [lines] how much the token decoded next (before its decode) or just decoded (after it) attends
  // to each closed line when nothing is hidden: the largest share that one head gives it. Of
  // policies that foresee only.
  std::vector<float> foresight;
};

struct View {
  const Timeline& timeline;    // includes tokens that are not decoded yet
  const Residency& residency;  // as it is now
  const Evidence& evidence;
  Boundary boundary;
  Pos decoded = 0;  // [0, decoded) are decoded; newest decoded position is decoded - 1
  Pos room =
      0;  // most tokens that plan.resident may hold: the budget less the next decode's tokens
  std::uint64_t seed = 0;  // for policies that roll dice: the same for the whole run
};

struct Needs {
  HeadSelection keys;     // keys of the tokens decoded now, to be indexed
  HeadSelection queries;  // queries of the last token decoded now, or of every one
  HeadSelection mass;     // attention mass of that token over the resident ones, of these heads
  HeadSelection lines;    // beside no mass and no recent: how much these value heads need each line
                          // now: Evidence::lines
  HeadSelection names;    // and these name heads soon; asked for beside `lines` only
  HeadSelection order;    // likewise these order heads
  float fade = 0;         // what is left of LineNeed::kept after one token
  std::size_t recent = 0;  // keep the keys of all tokens and the queries of so many newest ones
  std::optional<VoteRule> vote;  // run this vote with those queries

  // Does it follow every token, so that all keys are kept as they are?
  [[nodiscard]] bool every_token() const { return mass.any() || lines.any() || recent > 0; }
};

class Policy {
 public:
  virtual ~Policy() = default;
  [[nodiscard]] virtual Unit unit() const = 0;
  // Does the policy respect a budget? Only `full` does not.
  [[nodiscard]] virtual bool bounded() const { return true; }
  // Does it see what a second context, which holds everything, attends to? Then plan() is asked
  // before each decode too. No method for use: what selections are compared with.
  [[nodiscard]] virtual bool foresees() const { return false; }
  // Called before a decode; view.boundary tells of the tokens about to be decoded, view.decoded
  // does not count them.
  [[nodiscard]] virtual Needs needs(const View& view) const = 0;
  // Called after a decode. REQUIRES of the result: see broken_invariant().
  [[nodiscard]] virtual Plan plan(const View& view) const = 0;
};

struct PolicyInfo {
  std::string_view name;
  std::string_view what;   // one line for --help and the README
  std::string_view paper;  // "" or an arXiv id
};

[[nodiscard]] const std::vector<PolicyInfo>& policies();  // in the order of the README
// Throws Error(bad_input) with the list of names when there is no such policy, or when the settings
// do not fit it.
[[nodiscard]] std::unique_ptr<Policy> make_policy(std::string_view name,
                                                  const PolicySettings& settings);

}  // namespace zoomr
