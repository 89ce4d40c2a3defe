#include "eval/samples.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <iterator>

#include "zoomr/error.h"

namespace zoomr {

namespace {

std::string dumped(const Sample& sample) {
  return sample.dump(-1, ' ', false, Sample::error_handler_t::replace);
}

// Does it have what the tables read?
bool is_whole(const Sample& s) {
  const auto has = [&s](std::initializer_list<const char*> names, auto is) {
    return std::all_of(names.begin(), names.end(),
                       [&](const char* name) { return s.contains(name) && is(s[name]); });
  };
  const auto number = [](const Sample& v) { return v.is_number(); };
  const auto text = [](const Sample& v) { return v.is_string(); };
  const auto object = [](const Sample& v) { return v.is_object(); };
  if (!s.is_object() || !has({"settings"}, object) ||
      !has({"task", "problem", "policy", "budget_asked"}, text) ||
      !has({"sample", "peak_resident_tokens", "mean_resident_tokens", "peak_kv_bytes", "n_ctx",
            "zoom_ins", "zoom_outs"},
           number)) {
    return false;
  }
  if (s.contains("kl_mean")) return true;
  const auto count = [](const Sample& v) {
    return v.is_object() && v.contains("right") && v["right"].is_number() && v.contains("of") &&
           v["of"].is_number();
  };
  if (!s.contains("right") || !s["right"].is_boolean() || !has({"steps"}, count) ||
      !has({"answer", "expected", "finish_reason", "text"}, text) ||
      !has({"n_prompt", "n_generated", "second_looks", "votes", "agreeability", "seconds"},
           number)) {
    return false;
  }
  return std::all_of(s["steps"].begin(), s["steps"].end(),
                     [&](const Sample& v) { return v.is_number() || count(v); });
}

}  // namespace

std::string key_of(const Sample& sample) {
  std::string key;
  for (const char* field : {"task", "problem", "sample", "policy", "budget_asked"}) {
    key += sample.value(field, Sample()).dump() + '|';
  }
  return key;
}

std::vector<Sample> read_samples(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::bad_input, "cannot read the samples " + path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<Sample> samples;
  int number = 0;
  for (std::size_t at = 0; at < text.size();) {
    ++number;
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) break;  // cut off while it was written
    Sample sample = Sample::parse(text.substr(at, end - at), nullptr, false);
    if (sample.is_discarded() || !is_whole(sample)) {
      throw Error(ErrorCode::bad_input,
                  path + ":" + std::to_string(number) + ": not a sample of zoomr eval");
    }
    samples.push_back(std::move(sample));
    at = end + 1;
  }
  return samples;
}

SampleFile::SampleFile(std::string path, bool resume, nlohmann::ordered_json settings)
    : path_(std::move(path)), settings_(std::move(settings)) {
  if (path_.empty()) return;
  std::error_code error;
  const bool there = std::filesystem::exists(path_, error);
  if (there && !resume && std::filesystem::file_size(path_, error) > 0) {
    throw Error(ErrorCode::bad_input,
                path_ + " has samples already: go on with --resume, or name another file");
  }
  if (there && resume) load();
  rewrite();
}

void SampleFile::load() {
  samples_ = read_samples(path_);
  for (const Sample& sample : samples_) {
    const auto& theirs = sample["settings"];
    for (const auto& [name, value] : settings_.items()) {
      if (theirs.value(name, nlohmann::ordered_json()) == value) continue;
      throw Error(ErrorCode::bad_input, path_ + " was made with another " + name + " (" +
                                            theirs.value(name, nlohmann::ordered_json()).dump() +
                                            ", now " + value.dump() + "): name another file");
    }
  }
}

void SampleFile::rewrite() {
  file_.close();
  const std::string part = path_ + ".part";  // so that a crash here loses nothing
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  for (const Sample& sample : samples_) out << dumped(sample) << '\n';
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, path_, error);
  file_.open(path_, std::ios::binary | std::ios::app);
  if (!out || error || !file_) {
    throw Error(ErrorCode::bad_input,
                "cannot write the samples " + path_ + ": " + std::strerror(errno));
  }
}

const Sample* SampleFile::find(const std::string& key) const {
  const auto it = std::find_if(samples_.begin(), samples_.end(),
                               [&key](const Sample& sample) { return key_of(sample) == key; });
  return it == samples_.end() ? nullptr : &*it;
}

void SampleFile::append(const std::vector<Sample>& more) {
  std::string text;
  for (Sample sample : more) {
    sample["settings"] = settings_;
    text += dumped(sample) + '\n';
    samples_.push_back(std::move(sample));
  }
  if (path_.empty()) return;
  file_ << text << std::flush;
  if (!file_) throw Error(ErrorCode::failed, "cannot write on to the samples " + path_);
}

void SampleFile::erase(const std::string& key) {
  const auto there = std::remove_if(samples_.begin(), samples_.end(),
                                    [&key](const Sample& sample) { return key_of(sample) == key; });
  if (there == samples_.end()) return;
  samples_.erase(there, samples_.end());
  if (!path_.empty()) rewrite();
}

}  // namespace zoomr
