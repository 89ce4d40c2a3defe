// The file of --samples-out: one JSON line a sample (docs/evaluation.md). All that an evaluation
// prints is computed from such lines, so a resumed one prints what an unbroken one would.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace zoomr {

using Sample = nlohmann::ordered_json;

// What tells one sample from another: task, problem, sample, policy and budget as typed.
[[nodiscard]] std::string key_of(const Sample& sample);

class SampleFile {
 public:
  // `path` "": nothing is written. Without `resume` an existing file with samples is refused, so
  // that no evaluation is lost by a second one. With it, its samples are taken over; a last line
  // that was cut off is dropped. `settings` is what must not differ: Error(bad_input) names what
  // does.
  SampleFile(std::string path, bool resume, nlohmann::ordered_json settings);

  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }
  [[nodiscard]] const Sample* find(const std::string& key) const;  // nullptr: it is not there
  // Adds samples that belong together; they are on disk when it returns.
  void append(const std::vector<Sample>& more);
  // Forgets a sample: its group was not finished and runs again, as a whole.
  void erase(const std::string& key);

 private:
  void load();
  void rewrite();

  std::string path_;
  nlohmann::ordered_json settings_;
  std::vector<Sample> samples_;
  std::ofstream file_;
};

// Samples of a file, for those who only read it.
[[nodiscard]] std::vector<Sample> read_samples(const std::string& path);

}  // namespace zoomr
