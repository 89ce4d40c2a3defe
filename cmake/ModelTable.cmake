# script/models.tsv as C++: one row a model in zoomr_known_models.h, included by src/llama/model.cpp.
set(table ${PROJECT_SOURCE_DIR}/script/models.tsv)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${table})
file(STRINGS ${table} rows REGEX "^[^#]")
set(entries "")
foreach(row IN LISTS rows)
  string(REPLACE "\t" ";" cells "${row}")
  list(GET cells 0 name)
  list(GET cells 1 file)
  list(GET cells 2 bytes)
  list(GET cells -1 note)
  string(APPEND entries "    {\"${name}\", \"${file}\", ${bytes}, \"${note}\"},\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/zoomr_known_models.h CONTENT
"// Generated from script/models.tsv.
#pragma once
namespace zoomr {
inline constexpr KnownModel kKnownModels[] = {
${entries}};
}  // namespace zoomr
" @ONLY)
