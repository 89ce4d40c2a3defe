"""Bad input: one clear line and exit code 2; a failed run: exit code 1."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.environ["ZOOMR_ROOT"], "tests", "models"))
import tiny  # noqa: E402
from program import SMOL, Case, zoomr  # noqa: E402

HI = ("-p", "Hi", "-n", "2")


class Files(Case):
    def test_missing(self):
        self.refused("run", "-m", "no.gguf", *HI, says=["no such file: no.gguf", SMOL])

    def test_no_model(self):
        self.refused("run", *HI, says="no model")

    def test_a_folder(self):
        self.refused("run", "-m", self.folder, *HI, says="is a folder")

    def test_not_gguf(self):
        self.refused("run", "-m", self.write("x.gguf", "hello, I am text"), *HI, says="is not a GGUF file")

    def test_empty_file(self):
        self.refused("run", "-m", self.write("x.gguf", ""), *HI, says="is not a GGUF file")

    def test_truncated_in_its_weights(self):
        folder = subprocess.run([os.path.join(os.environ["ZOOMR_ROOT"], "script/models"), "--dir"], capture_output=True, text=True).stdout.strip()
        with open(os.path.join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf"), "rb") as file:
            cut = self.write("cut.gguf", file.read(20_000_000))
        self.refused("run", "-m", cut, *HI, says=["is truncated", "20000000", "98362432"])

    def test_truncated_in_its_header(self):
        self.refused("run", "-m", self.write("x.gguf", b"GGUF\x03\x00\x00\x00"), *HI, says="truncated or damaged")

    def test_a_known_model_that_is_not_here(self):
        self.refused("run", "-m", SMOL, *HI, says="script/models " + SMOL, env={"ZOOMR_MODELS": self.folder})


class Models(Case):
    def refuse(self, says, *args, **kwargs):
        self.refused("run", "-m", tiny.model(self.path("m.gguf"), *args, **kwargs), *HI, says=says)

    def test_mamba(self):
        self.refuse("recurrent", "mamba")

    def test_rwkv(self):
        self.refuse("recurrent", "rwkv7")

    def test_bert(self):
        self.refuse("encoder", "bert", causal=False)

    def test_diffusion(self):
        self.refuse("diffusion", "dream")

    def test_deepseek4(self):
        self.refuse("deepseek4", "deepseek4")

    def test_longrope_that_cannot_be_pinned(self):
        self.refuse("LongRoPE", "mistral3", tensors=("rope_factors_long.weight", "rope_factors_short.weight"))

    def test_an_adapter_as_model(self):
        self.refused("run", "-m", tiny.adapter(self.path("a.gguf")), *HI, says="--lora")

    def test_what_llama_cpp_does_not_know(self):
        self.refuse(["cannot be loaded", "unknown model architecture: 'no-such-architecture'"], "no-such-architecture")

    def test_what_lacks_its_numbers(self):
        self.refuse(["cannot be loaded", "key not found in model: llama.attention.layer_norm_rms_epsilon"], "llama")


class Adapters(Case):
    def refuse(self, says, **kwargs):
        lora = tiny.adapter(self.path("a.gguf"), **kwargs)
        self.refused("run", "-m", SMOL, "--lora", lora, *HI, says=["does not fit", says])

    def test_of_another_architecture(self):
        self.refuse("it is for qwen2", architecture="qwen2")

    def test_of_another_shape(self):
        self.refuse("shape", rows=512)

    def test_of_a_tensor_that_is_not_there(self):
        self.refuse("has no", tensor="blk.99.attn_q.weight")

    def test_with_half_a_pair(self):
        tiny_models = os.path.join(os.environ["ZOOMR_ROOT"], "tests", "models", "make_tiny.py")
        subprocess.run([sys.executable, tiny_models, self.folder, "llama", "lora-unpaired"], check=True)
        self.refused("run", "-m", self.path("llama.gguf"), "--lora", self.path("lora-unpaired.gguf"), *HI, says=["does not fit", "half of its pair"])

    def test_whose_alpha_would_abort(self):
        self.refuse("alpha", alpha_type="u32")

    def test_missing(self):
        self.refused("run", "-m", SMOL, "--lora", "no.gguf", *HI, says="no such file")

    def test_a_scale_that_is_no_number(self):
        self.refused("run", "-m", SMOL, "--lora-scaled", "a.gguf:x", *HI, says="FILE:SCALE")


class Options(Case):
    def refuse(self, says, *args, **kwargs):
        self.refused("run", "-m", SMOL, *args, says=says, **kwargs)

    def test_unknown_policy_lists_the_known(self):
        self.refuse(["unknown policy 'lru'", "streaming-llm", "h2o", "zoomr"], *HI, "--policy", "lru")

    def test_unknown_selection(self):
        self.refuse("paper", *HI, "--select", "magic")

    def test_summary_only_without_summaries(self):
        self.refuse("--summaries", *HI, "--policy", "summary-only")

    def test_a_grammar_with_injected_summaries(self):
        self.refuse("--grammar", *HI, "--summaries", "injected", "--grammar", "root ::= [a-z]+")

    def test_unknown_summaries(self):
        self.refuse("injected", *HI, "--summaries", "always")

    def test_budget_below_the_prompt(self):
        self.refuse("too small", *HI, "--budget", "90")

    def test_budget_without_room(self):
        self.refuse("too small", *HI, "--budget", "+63")

    def test_budget_that_is_no_number(self):
        self.refuse("--budget", *HI, "--budget", "many")

    def test_flash_attention_off(self):
        self.refuse("-fa off", *HI, "-fa", "off")

    def test_unknown_cache_type(self):
        self.refuse("q8_0", *HI, "-ctk", "q3")

    def test_unknown_flag(self):
        self.refuse("--no-such-flag", *HI, "--no-such-flag")

    def test_a_number_that_is_none(self):
        self.refuse("--top-k", *HI, "--top-k", "few")

    def test_unwritable_trace(self):
        self.refuse("cannot write the trace", *HI, "--trace", "/no/such/folder/t.jsonl")

    def test_full_disk(self):
        self.refused("run", "-m", SMOL, "-p", "Hi", "-n", "300", "--ignore-eos", "--json", "--trace", "/dev/full", code=1, says="trace")

    def test_bad_grammar(self):
        self.refuse("grammar", *HI, "--grammar", "root ::= (")

    def test_bad_schema(self):
        self.refuse("schema", *HI, "--json-schema", "{")

    def test_bad_template(self):
        self.refuse("template", *HI, "--chat-template", "{% if %}")

    def test_bad_override(self):
        self.refuse("--override-kv", *HI, "--override-kv", "x")

    def test_unknown_device(self):
        self.refuse("no device", *HI, "--device", "CUDA9")


class Prompts(Case):
    def test_empty(self):
        self.refused("run", "-m", SMOL, "-p", "", says="prompt")

    def test_blank(self):
        self.refused("run", "-m", SMOL, stdin=" \n ", says="the prompt is empty")

    def test_invalid_utf8(self):
        self.refused("run", "-m", SMOL, "-f", self.write("p", b"caf\xe9"), says="not valid UTF-8")

    def test_missing_file(self):
        self.refused("run", "-m", SMOL, "-f", "no.txt", says="cannot read")

    def test_longer_than_the_positions(self):
        self.refused("run", "-m", SMOL, "-c", "20", "-p", "one two three", says="positions")

    def test_longer_than_the_trained_length(self):
        self.refused("run", "-m", SMOL, stdin="word " * 9000, says="positions")


class Tools(Case):
    def test_replay_of_nothing(self):
        self.refused("replay", "no.jsonl", says="cannot read")

    def test_replay_of_text(self):
        self.refused("replay", self.write("t", "hello\n"), says="is not a trace")

    def test_replay_of_an_empty_file(self):
        self.refused("replay", self.write("t", ""), says="is empty")

    def test_inspect_of_nothing(self):
        self.refused("inspect", "no.gguf", says="no such file")

    def test_inspect_with_a_bad_size(self):
        self.refused("inspect", SMOL, "--memory", "much", says="size")

    def test_bench_with_an_unknown_policy(self):
        self.refused("bench", "-m", SMOL, "--policy", "full,lru", says="unknown policy")

    def test_bench_with_an_unknown_setting(self):
        self.refused("bench", "-m", SMOL, "--policy", "zoomr:speed=9", says="unknown policy setting")

    def test_unknown_command(self):
        done = zoomr("dance")
        self.assertEqual(done.returncode, 2)
        self.assertIn("zoomr: ", done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
