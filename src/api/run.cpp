#include <utility>

#include "api/session_group.h"
#include "api/trace_file.h"
#include "llama/model.h"
#include "zoomr/zoomr.h"

namespace zoomr {

std::string_view version() { return ZOOMR_VERSION; }

Model::Model(const ModelOptions& options) : impl_(std::make_unique<LlamaModel>(options)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

// A group of one, and its trace.
struct Run::Impl {
  Impl(const Model& model, const RunOptions& options, const Prompt& prompt,
       std::vector<TraceSink*> watchers)
      : trace(options.trace.empty() ? nullptr : std::make_unique<TraceFile>(options.trace)) {
    if (trace) watchers.push_back(trace.get());
    std::vector<SessionGroup::Member> members(1);
    members[0].prompt = prompt;
    members[0].watchers = std::move(watchers);
    group = std::make_unique<SessionGroup>(model.impl(), options, std::move(members));
  }
  [[nodiscard]] const Session& session() const { return group->session(0); }

  std::unique_ptr<TraceFile> trace;
  std::unique_ptr<SessionGroup> group;
};

Run::Run(const Model& model, const RunOptions& options, const Prompt& prompt,
         std::vector<TraceSink*> watchers)
    : impl_(std::make_unique<Impl>(model, options, prompt, std::move(watchers))) {}

Run::~Run() = default;

bool Run::step() { return impl_->group->step(); }
void Run::interrupt() { impl_->group->interrupt(); }
RunResult Run::result() const { return impl_->group->result(0); }
std::string_view Run::text() const { return impl_->session().text(); }
double Run::tokens_per_second_last(int n) const { return impl_->session().stats().rate_of_last(n); }
Pos Run::resident_tokens() const { return impl_->session().residency().resident.size(); }
Pos Run::budget() const { return impl_->group->budget(0); }

}  // namespace zoomr
