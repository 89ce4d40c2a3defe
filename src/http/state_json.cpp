#include "http/state_json.h"

#include <algorithm>

#include "http/completion_reply.h"

namespace zoomr {

namespace {

// Writes figures in Prometheus' text form.
class Figures {
 public:
  void counter(const std::string& name, const std::string& help, double value) {
    head(name, help, "counter");
    line(name, value);
  }
  void gauge(const std::string& name, const std::string& help, double value) {
    head(name, help, "gauge");
    line(name, value);
  }
  void head(const std::string& name, const std::string& help, const std::string& type) {
    text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void line(const std::string& name, double value) {
    text_ += name + " " + json(value).dump() + "\n";
  }
  [[nodiscard]] std::string text() const { return text_; }

 private:
  std::string text_;
};

const char* use_name(SlotState::Use use) {
  switch (use) {
    case SlotState::Use::free:
      return "free";
    case SlotState::Use::kept:
      return "kept";
    case SlotState::Use::reading:
      return "reading";
    case SlotState::Use::generating:
      return "generating";
  }
  return "";
}

bool is_processing(const SlotState& slot) {
  return slot.use == SlotState::Use::reading || slot.use == SlotState::Use::generating;
}

double rate(std::uint64_t n, double seconds) {
  return seconds > 0 ? static_cast<double>(n) / seconds : 0;
}

void memory_figures(const ServiceState& s, Figures& f) {
  f.gauge("zoomr_kv_cells", "Tokens that the KV memory has room for", s.n_cells);
  f.gauge("zoomr_resident_tokens", "Tokens in the KV memory", s.resident);
  f.gauge("zoomr_stored_tokens", "Tokens zoomed out to the store", s.stored);
  f.gauge("zoomr_dropped_tokens", "Tokens dropped for good", s.dropped);
  f.gauge("zoomr_kv_bytes", "KV memory allocated", static_cast<double>(s.kv_bytes));
  f.gauge("zoomr_stored_bytes", "Bytes in the store", static_cast<double>(s.stored_bytes));
  f.gauge("zoomr_index_bytes", "Bytes of what selects", static_cast<double>(s.index_bytes));
}

void total_figures(const ServiceTotals& t, Figures& f) {
  const auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    f.counter(name, help, static_cast<double>(value));
  };
  counter("zoomr_requests_total", "Requests", t.requests);
  counter("zoomr_requests_cancelled_total", "Requests whose client went away", t.cancelled);
  counter("zoomr_requests_refused_total", "Requests that found no place", t.refused);
  counter("zoomr_requests_failed_total", "Requests that failed", t.failed);
  counter("zoomr_prompt_tokens_total", "Tokens of prompts", t.prompt_tokens);
  counter("zoomr_cached_tokens_total", "Of these in the KV memory already", t.cached_tokens);
  counter("zoomr_generated_tokens_total", "Tokens generated", t.generated_tokens);
  f.counter("zoomr_prompt_seconds_total", "Time spent on prompts", t.prompt_seconds);
  f.counter("zoomr_generation_seconds_total", "Time spent generating", t.generation_seconds);
  counter("zoomr_zoom_ins_total", "Lines zoomed in", t.zoom_ins);
  counter("zoomr_zoom_outs_total", "Lines zoomed out", t.zoom_outs);
  counter("zoomr_second_looks_total", "Tokens decoded again", t.second_looks);
  counter("zoomr_bytes_moved_total", "KV bytes moved", t.bytes_moved);
  counter("zoomr_decodes_total", "Calls of llama_decode", t.decodes);
}

// What llama-server tells too, under its names: dashboards made for it go on working.
void llama_figures(const ServiceState& s, Figures& f) {
  const ServiceTotals& t = s.totals;
  const auto n_processing = std::count_if(s.slots.begin(), s.slots.end(), is_processing);
  const std::uint64_t read = t.prompt_tokens - std::min(t.prompt_tokens, t.cached_tokens);
  f.counter("llamacpp:prompt_tokens_total", "Prompt tokens read", static_cast<double>(read));
  f.counter("llamacpp:prompt_seconds_total", "Time spent on prompts", t.prompt_seconds);
  f.counter("llamacpp:tokens_predicted_total", "Tokens generated",
            static_cast<double>(t.generated_tokens));
  f.counter("llamacpp:tokens_predicted_seconds_total", "Time spent generating",
            t.generation_seconds);
  f.counter("llamacpp:n_decode_total", "Calls of llama_decode", static_cast<double>(t.decodes));
  f.gauge("llamacpp:prompt_tokens_seconds", "Prompt tokens a second", rate(read, t.prompt_seconds));
  f.gauge("llamacpp:predicted_tokens_seconds", "Generated tokens a second",
          rate(t.generated_tokens, t.generation_seconds));
  f.gauge("llamacpp:requests_processing", "Requests that run", static_cast<double>(n_processing));
  f.gauge("llamacpp:requests_deferred", "Requests that wait", s.waiting);
}

void slot_figures(const ServiceState& s, Figures& f) {
  const auto each = [&](const char* name, const char* help, auto value) {
    f.head(name, help, "gauge");
    for (const SlotState& slot : s.slots) {
      const double v = value(slot);
      if (v >= 0) f.line(std::string(name) + "{slot=\"" + std::to_string(slot.id) + "\"}", v);
    }
  };
  each("zoomr_slot_resident_tokens", "Tokens of a slot in the KV memory",
       [](const SlotState& slot) { return static_cast<double>(slot.resident); });
  each("zoomr_slot_peak_resident_tokens", "Most tokens of a slot in the KV memory at once",
       [](const SlotState& slot) { return static_cast<double>(slot.peak_resident); });
  each("zoomr_slot_stored_tokens", "Tokens of a slot zoomed out",
       [](const SlotState& slot) { return static_cast<double>(slot.stored); });
  each("zoomr_slot_agreeability", "Share of votes that the winners got",
       [](const SlotState& slot) { return slot.agreeability; });
  each("zoomr_slot_missed_mass", "Share of attention on what was not resident",
       [](const SlotState& slot) { return slot.missed_mass; });
}

}  // namespace

std::string metrics_text(const ServiceState& state) {
  Figures figures;
  memory_figures(state, figures);
  total_figures(state.totals, figures);
  figures.gauge("zoomr_requests_waiting", "Requests in the queue", state.waiting);
  figures.gauge("zoomr_draining", "1 while the server shuts down", state.draining ? 1 : 0);
  slot_figures(state, figures);
  llama_figures(state, figures);
  return figures.text();
}

json slots_json(const ServiceState& state, const ServerContext& context) {
  json result = json::array();
  for (const SlotState& slot : state.slots) {
    json entry = {{"id", slot.id},
                  {"is_processing", is_processing(slot)},
                  {"state", use_name(slot.use)},
                  {"n_ctx", context.n_ctx},
                  {"budget", slot.budget},
                  {"resident_tokens", slot.resident},
                  {"peak_resident_tokens", slot.peak_resident},
                  {"stored_tokens", slot.stored},
                  {"n_past", slot.n_past},
                  {"n_prompt_tokens", slot.n_prompt},
                  {"n_decoded", slot.n_generated},
                  {"agreeability", slot.agreeability},
                  {"missed_mass", nullptr}};
    if (slot.missed_mass >= 0) entry["missed_mass"] = slot.missed_mass;
    result.push_back(std::move(entry));
  }
  return result;
}

json props_json(const ServiceState& state, const ServerContext& context) {
  return {
      {"default_generation_settings",
       {{"n_ctx", context.n_ctx}, {"params", settings_json(context.sampling, context.n_predict)}}},
      {"total_slots", context.n_parallel},
      {"model_alias", context.model},
      {"model_path", context.model_path},
      {"modalities", {{"vision", false}, {"audio", false}}},
      {"chat_template", context.chat->source()},
      {"chat_template_caps", context.chat->abilities()},
      {"build_info", context.build},
      {"zoomr",
       {{"policy", state.policy},
        {"budget", context.budget},
        {"kv_total", state.n_cells},
        {"kv_bytes", state.kv_bytes}}}};
}

json models_json(const ServerContext& context) {
  return {{"object", "list"},
          {"data",
           {{{"id", context.model},
             {"object", "model"},
             {"created", context.created},
             {"owned_by", "zoomr"},
             {"meta", context.model_meta}}}}};
}

}  // namespace zoomr
