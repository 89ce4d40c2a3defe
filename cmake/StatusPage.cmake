# src/http/status.html as C++: zoomr_status_page.h, included by src/http/routes.cpp.
set(page ${PROJECT_SOURCE_DIR}/src/http/status.html)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
file(READ ${page} html)
file(WRITE ${PROJECT_BINARY_DIR}/generated/zoomr_status_page.h.in
"// Generated from src/http/status.html.
#pragma once
namespace zoomr {
inline constexpr char kStatusPage[] = R\"zoomr_page(${html})zoomr_page\";
}  // namespace zoomr
")
file(COPY_FILE ${PROJECT_BINARY_DIR}/generated/zoomr_status_page.h.in
     ${PROJECT_BINARY_DIR}/generated/zoomr_status_page.h ONLY_IF_DIFFERENT)
