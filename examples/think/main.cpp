// Loads a model and lets it think with at most 96 tokens' KV beyond the prompt.
#include <zoomr/chat.h>
#include <zoomr/zoomr.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: think MODEL.gguf PROMPT\n";
    return 2;
  }
  try {
    const zoomr::Model model({.path = argv[1]});
    zoomr::RunOptions options{.budget = {.tokens = 96}, .n_predict = 200};
    options.sampling.temp = 0;
    zoomr::Run run(model, options, zoomr::chat_prompt(model, argv[2]));
    while (run.step()) {
    }
    const zoomr::RunResult result = run.result();
    std::cout << result.text << "\n[" << result.n_generated << " tokens thought, at most "
              << result.peak_resident_tokens << " resident]\n";
  } catch (const zoomr::Error& error) {
    std::cerr << "think: " << error.what() << '\n';
    return zoomr::exit_code(error.code());
  }
}
