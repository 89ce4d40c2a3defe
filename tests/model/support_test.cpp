#include "llama/support.h"

#include <filesystem>
#include <map>
#include <vector>

#include "gguf.h"
#include "llama/gguf_file.h"
#include "model/testing.h"
#include "model/tiny.h"
#include "zoomr/error.h"

namespace zoomr {
namespace {

using Numbers = std::map<std::string, std::uint32_t>;
using Arrays = std::map<std::string, std::vector<std::int32_t>>;

// A GGUF file with this metadata and no tensor, keys without the architecture's name.
GgufFile metadata(const std::string& arch, const Numbers& numbers, const Arrays& arrays = {}) {
  const std::string path =
      (std::filesystem::temp_directory_path() /
       ("zoomr-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
        ".gguf"))
          .string();
  gguf_context* gguf = gguf_init_empty();
  gguf_set_val_str(gguf, "general.architecture", arch.c_str());
  for (const auto& [key, value] : numbers) gguf_set_val_u32(gguf, (arch + key).c_str(), value);
  for (const auto& [key, values] : arrays) {
    gguf_set_arr_data(gguf, (arch + key).c_str(), GGUF_TYPE_INT32, values.data(), values.size());
  }
  EXPECT_TRUE(gguf_write_to_file(gguf, path.c_str(), false));
  gguf_free(gguf);
  GgufFile file(path);
  std::filesystem::remove(path);
  return file;
}

Numbers with(Numbers base, const Numbers& more) {
  for (const auto& [key, value] : more) base[key] = value;
  return base;
}

const Numbers kPlain = {{".block_count", 4},
                        {".embedding_length", 64},
                        {".attention.head_count", 4},
                        {".attention.head_count_kv", 2}};

TEST(Support, RefusesWhatLibllamaCannotHide) {
  for (const char* arch : {"deepseek4", "mamba", "mamba2", "rwkv6", "rwkv7", "arwkv7", "t5",
                           "t5encoder", "dream", "llada", "llada-moe", "rnd1"}) {
    const Support support = check_support(metadata(arch, kPlain));
    EXPECT_FALSE(support.ok) << arch;
    EXPECT_NE(support.why.find(arch), std::string::npos) << support.why;
  }
}

TEST(Support, LeavesHybridsToTheSelfTest) {
  for (const char* arch :
       {"qwen3next", "lfm2", "jamba", "falcon-h1", "granitehybrid", "nemotron_h"}) {
    EXPECT_TRUE(check_support(metadata(arch, kPlain)).ok) << arch;
  }
}

TEST(KvBytes, OfAPlainModel) {
  const GgufFile file = metadata("llama", kPlain);
  EXPECT_EQ(kv_bytes_per_token(file, "f16", "f16"), 4 * 2 * (2 * 16 * 2));
  EXPECT_EQ(kv_bytes_per_token(file, "q8_0", "f16"), 4 * (34 + 64));
}

TEST(KvBytes, OfAModelWithoutGroups) {
  Numbers numbers = kPlain;
  numbers.erase(".attention.head_count_kv");
  EXPECT_EQ(kv_bytes_per_token(metadata("llama", numbers), "f16", "f16"), 4 * 2 * (4 * 16 * 2));
}

TEST(KvBytes, LayersWithoutHeadsCountNothing) {
  Numbers numbers = kPlain;
  numbers.erase(".attention.head_count_kv");
  const GgufFile file = metadata("lfm2", numbers, {{".attention.head_count_kv", {0, 2, 0, 2}}});
  EXPECT_EQ(kv_bytes_per_token(file, "f16", "f16"), 2 * 2 * (2 * 16 * 2));
}

TEST(KvBytes, RecurrentLayersCountNothing) {
  const double plain = kv_bytes_per_token(metadata("llama", kPlain), "f16", "f16");
  EXPECT_EQ(kv_bytes_per_token(metadata("qwen3next", kPlain), "f16", "f16"), plain / 4);
  EXPECT_EQ(
      kv_bytes_per_token(metadata("qwen3next", with(kPlain, {{".full_attention_interval", 2}})),
                         "f16", "f16"),
      plain / 2);
  EXPECT_EQ(kv_bytes_per_token(
                metadata("qwen35", kPlain, {{".attention.recurrent_layers", {1, 0, 0, 0}}}), "f16",
                "f16"),
            plain * 3 / 4);
}

TEST(KvBytes, LayersThatShareOrPredictCountNothing) {
  const double plain = kv_bytes_per_token(metadata("llama", kPlain), "f16", "f16");
  EXPECT_EQ(
      kv_bytes_per_token(metadata("gemma4", with(kPlain, {{".attention.shared_kv_layers", 1}})),
                         "f16", "f16"),
      plain * 3 / 4);
  EXPECT_EQ(kv_bytes_per_token(metadata("glm4moe", with(kPlain, {{".nextn_predict_layers", 1}})),
                               "f16", "f16"),
            plain * 3 / 4);
}

TEST(KvBytes, MlaKeepsOneLatentRow) {
  const Numbers mla = {{".block_count", 4},
                       {".embedding_length", 64},
                       {".attention.head_count", 4},
                       {".attention.head_count_kv", 1},
                       {".attention.key_length", 576},
                       {".attention.value_length", 512},
                       {".attention.key_length_mla", 192},
                       {".attention.value_length_mla", 128}};
  EXPECT_EQ(kv_bytes_per_token(metadata("deepseek2", mla), "f16", "f16"), 4 * 576 * 2);
  // An older file of the same model, whose matrices are not absorbed, keeps whole heads.
  const Numbers whole = {{".block_count", 4},
                         {".embedding_length", 64},
                         {".attention.head_count", 4},
                         {".attention.kv_lora_rank", 512},
                         {".attention.key_length", 192},
                         {".attention.value_length", 128}};
  EXPECT_EQ(kv_bytes_per_token(metadata("deepseek2", whole), "f16", "f16"),
            4 * (4 * (192 + 128) * 2));
}

TEST(KvBytes, UnknownMetadataIsNoFigure) {
  EXPECT_EQ(kv_bytes_per_token(metadata("llama", {}), "f16", "f16"), 0);
}

TEST(KvBytes, AreWhatAHybridAllocates) {
  ModelOptions options;
  options.path = tiny("lfm2");
  const LlamaModel model(options);
  const LlamaKv kv(model, {.n_cells = 256, .context = two_threads()});
  EXPECT_EQ(static_cast<double>(kv.allocated_bytes()),
            256 * kv_bytes_per_token(GgufFile(options.path), "f16", "f16"));
}

}  // namespace
}  // namespace zoomr
