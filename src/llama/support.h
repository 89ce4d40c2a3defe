// Which models can be zoomed, from their metadata alone. What libllama would answer with abort(),
// or with silently wrong results, is refused here; the self-test decides for the rest.
#pragma once

#include <cstdint>
#include <string>

namespace zoomr {

class GgufFile;

struct Support {
  bool ok = true;
  std::string why;  // one line, when !ok
};
[[nodiscard]] Support check_support(const GgufFile& file);

// KV bytes of one token, all layers, for caches of these types ("f16", "q8_0", ...). MLA caches
// (one latent row a layer) are counted as such. 0 when the metadata does not tell.
[[nodiscard]] double kv_bytes_per_token(const GgufFile& file, const std::string& type_k,
                                        const std::string& type_v);

}  // namespace zoomr
