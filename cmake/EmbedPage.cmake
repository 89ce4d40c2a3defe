# zoomr_embed_page(SOURCE NAME CONSTANT): an HTML file of the source tree as C++, generated/NAME,
# which defines zoomr::CONSTANT.
function(zoomr_embed_page source name constant)
  set(page ${PROJECT_SOURCE_DIR}/${source})
  set(header ${PROJECT_BINARY_DIR}/generated/${name})
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
  file(READ ${page} html)
  file(WRITE ${header}.in
"// Generated from ${source}.
#pragma once
namespace zoomr {
inline constexpr char ${constant}[] = R\"zoomr_page(${html})zoomr_page\";
}  // namespace zoomr
")
  file(COPY_FILE ${header}.in ${header} ONLY_IF_DIFFERENT)
endfunction()
