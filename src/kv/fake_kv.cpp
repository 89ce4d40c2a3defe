#include "kv/fake_kv.h"

#include <cstring>

#include "core/check.h"

namespace zoomr {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {  // splitmix64's finaliser
  std::uint64_t z = a * 0x9e3779b97f4a7c15ULL + b + 0x632be59bd9b4e019ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

float unit_float(std::uint64_t hash) {  // -1 .. 1
  return static_cast<float>(hash >> 40) / static_cast<float>(1 << 23) - 1.0F;
}

}  // namespace

FakeKv::FakeKv(const Options& options) : options_(options), cells_(options.n_cells) {}

DecodeStatus FakeKv::injected(Site site) {
  const int call = n_calls_[site]++;
  return failure_ ? failure_(site, call) : DecodeStatus::ok;
}

DecodeStatus FakeKv::decode(std::span<const BatchToken> batch, const Capture& capture) {
  check(!batch.empty() && static_cast<int>(batch.size()) <= options_.max_batch,
        "fake: a batch fits n_batch");
  const DecodeStatus failure = injected(Site::decode);
  if (failure != DecodeStatus::ok) return failure;
  if (cells_.n_free() < static_cast<int>(batch.size())) return DecodeStatus::no_room;
  logits_.assign(batch.size(), {});
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const BatchToken& row = batch[i];
    auto& sequence = content_[row.seq];
    // llama-batch.cpp: the first position must be the newest one + 1.
    check(sequence.empty() || row.pos == sequence.rbegin()->first + 1,
          "fake: positions go on at the newest one");
    check(cells_.place(row.seq, {row.pos, row.pos + 1}), "fake: a cell is free");
    sequence[row.pos] = mix(mix(static_cast<std::uint64_t>(row.token), visible_hash(row.seq)),
                            static_cast<std::uint64_t>(row.pos));
    if (!row.logits) continue;
    for (int t = 0; t < options_.n_vocab; ++t) {
      logits_[i].push_back(unit_float(mix(sequence[row.pos], static_cast<std::uint64_t>(t))));
    }
  }
  observe(batch, capture);
  return DecodeStatus::ok;
}

std::uint64_t FakeKv::visible_hash(SeqId seq) const {
  std::uint64_t hash = 0;
  const auto it = content_.find(seq);
  if (it == content_.end()) return hash;
  for (const auto& [pos, bytes] : it->second) hash += bytes;  // order does not matter: attention
  return hash;
}

void FakeKv::observe(std::span<const BatchToken> batch, const Capture& capture) {
  observation_ = {.key_layout = make_layout(capture.keys, options_.layers, true),
                  .query_layout = make_layout(capture.queries, options_.layers, false),
                  .keys = {},
                  .queries = {}};
  const auto fill = [&](bool keys, const HeadLayout& layout, const std::vector<int>& rows,
                        std::vector<float>& out) {
    for (const int row : rows) {
      const BatchToken& token = batch[static_cast<std::size_t>(row)];
      const std::size_t begin = out.size();
      out.resize(begin + layout.row_size);
      for (std::size_t j = 0; j < layout.row_size; ++j) {
        out[begin + j] = unit_float(mix(content(token.seq, token.pos), j * 2 + (keys ? 1 : 0)));
      }
      if (planted_) planted_(token.token, token.pos, layout, keys, std::span(out).subspan(begin));
    }
  };
  if (capture.keys.any()) fill(true, observation_.key_layout, capture.key_rows, observation_.keys);
  if (capture.queries.any()) {
    fill(false, observation_.query_layout, capture.query_rows, observation_.queries);
  }
}

std::span<const float> FakeKv::logits(int batch_row) {
  const auto& row = logits_.at(static_cast<std::size_t>(batch_row));
  check(!row.empty(), "fake: a row whose logits are read asked for them");
  return row;
}

Blob FakeKv::save(SeqId seq, Span span) {
  check(!span.empty(), "fake: a span to save is not empty");
  for (Pos pos = span.begin; pos < span.end; ++pos) (void)content(seq, pos);
  Blob blob(static_cast<std::size_t>(span.size()) * sizeof(std::uint64_t));
  for (Pos pos = span.begin; pos < span.end; ++pos) {
    const std::uint64_t bytes = content(seq, pos);
    std::memcpy(blob.data() + static_cast<std::size_t>(pos - span.begin) * sizeof bytes, &bytes,
                sizeof bytes);
  }
  if (injected(Site::save) != DecodeStatus::ok) return {};
  return blob;
}

bool FakeKv::restore(SeqId seq, Span span, std::span<const std::byte> blob) {
  check(blob.size() == static_cast<std::size_t>(span.size()) * sizeof(std::uint64_t),
        "fake: a blob has its span's size");
  if (injected(Site::restore) != DecodeStatus::ok) return false;
  auto& sequence = content_[seq];
  for (Pos pos = span.begin; pos < span.end; ++pos) {
    check(!sequence.contains(pos), "fake: a position is not restored twice");
  }
  if (!cells_.place(seq, span)) return false;
  for (Pos pos = span.begin; pos < span.end; ++pos) {
    std::memcpy(&sequence[pos],
                blob.data() + static_cast<std::size_t>(pos - span.begin) * sizeof(std::uint64_t),
                sizeof(std::uint64_t));
  }
  return true;
}

void FakeKv::drop(SeqId seq, Span span) {
  auto& sequence = content_[seq];
  if (sequence.empty()) return;
  const bool whole = span.begin <= sequence.begin()->first && sequence.rbegin()->first < span.end;
  const bool rewinds = options_.can_rewind && sequence.contains(span.begin - 1);
  check(whole || rewinds || !span.contains(sequence.rbegin()->first),
        "fake: the newest position stays");
  sequence.erase(sequence.lower_bound(span.begin), sequence.lower_bound(span.end));
  cells_.free(seq, span);
}

void FakeKv::share(SeqId from, SeqId to, Span span) {
  check(options_.can_rewind && content_[to].empty(),
        "fake: what is shared goes to who holds nothing");
  for (Pos pos = span.begin; pos < span.end; ++pos) content_[to][pos] = content(from, pos);
  cells_.share(from, to, span);
}

std::optional<Kv::Occupant> FakeKv::topmost() const {
  const auto top = cells_.topmost();
  if (!top) return std::nullopt;
  return Occupant{top->first, top->second};
}

std::size_t FakeKv::allocated_bytes() const {
  return static_cast<std::size_t>(options_.n_cells) * sizeof(std::uint64_t);
}

std::vector<Pos> FakeKv::resident(SeqId seq) const {
  std::vector<Pos> positions;
  const auto it = content_.find(seq);
  if (it == content_.end()) return positions;
  for (const auto& [pos, bytes] : it->second) positions.push_back(pos);
  return positions;
}

std::uint64_t FakeKv::content(SeqId seq, Pos pos) const {
  const auto it = content_.find(seq);
  check(it != content_.end() && it->second.contains(pos), "fake: the position is resident");
  return it->second.at(pos);
}

}  // namespace zoomr
