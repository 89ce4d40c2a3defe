// The report of an evaluation: one HTML file that needs nothing else.
#pragma once

#include <string>
#include <vector>

#include "eval/samples.h"
#include "eval/table.h"

namespace zoomr {

// The page: what was printed, as tables and as a plot, and any sample with what was resident when.
[[nodiscard]] std::string report_html(const std::vector<Sample>& samples,
                                      const std::vector<Row>& rows);
// Throws Error(bad_input) when the file cannot be written.
void write_report(const std::string& path, const std::vector<Sample>& samples,
                  const std::vector<Row>& rows);

}  // namespace zoomr
