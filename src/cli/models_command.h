// zoomr models: the models that script/models can fetch, and which are here.
#pragma once

#include <ostream>

namespace zoomr {

int models_command(bool json, std::ostream& out);

}  // namespace zoomr
