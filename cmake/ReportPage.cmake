# src/eval/report.html as C++: zoomr_report_page.h, included by src/eval/report.cpp.
set(page ${PROJECT_SOURCE_DIR}/src/eval/report.html)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
file(READ ${page} html)
file(WRITE ${PROJECT_BINARY_DIR}/generated/zoomr_report_page.h.in
"// Generated from src/eval/report.html.
#pragma once
namespace zoomr {
inline constexpr char kReportPage[] = R\"zoomr_page(${html})zoomr_page\";
}  // namespace zoomr
")
file(COPY_FILE ${PROJECT_BINARY_DIR}/generated/zoomr_report_page.h.in
     ${PROJECT_BINARY_DIR}/generated/zoomr_report_page.h ONLY_IF_DIFFERENT)
