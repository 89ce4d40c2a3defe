// What a service tells of itself: metrics, slots, properties, models.
#pragma once

#include <string>

#include "http/context.h"

namespace zoomr {

// Prometheus text format.
[[nodiscard]] std::string metrics_text(const ServiceState& state);
// An array, an object a place of -np.
[[nodiscard]] json slots_json(const ServiceState& state, const ServerContext& context);
[[nodiscard]] json props_json(const ServiceState& state, const ServerContext& context);
[[nodiscard]] json models_json(const ServerContext& context);

}  // namespace zoomr
