// How many tokens of prompts are read beside the tokens of others that write: so many that a step
// takes a fixed multiple of what it takes without them. Measured as it goes, so that it holds on
// any machine and model. Pure; one owner.
#pragma once

namespace zoomr {

class Pace {
 public:
  // A step took `ms`: n_writing sessions had a token each decoded, n_read tokens of prompts.
  void count(int n_writing, int n_read, double ms);
  // Most tokens of prompts in the next step, all sessions together.
  [[nodiscard]] int n_to_read(int n_writing) const;

 private:
  double write_ms_ = -1;      // a step in which nothing is read; < 0: not known yet
  bool is_measured_ = false;  // there was one
  double read_ms_ = -1;       // what one token of a prompt adds
};

}  // namespace zoomr
