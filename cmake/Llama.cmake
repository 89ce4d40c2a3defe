# llama.cpp as script/llama installs it. Gives three imported targets:
#   llama          libllama with the ggml libraries and backends of that build
#   llama-common   llama.cpp's `common` library; upstream installs no headers and no package of it,
#                  so they lie under include/llama-common (src/chat alone uses them)
#   cpp-httplib    the HTTP library of llama.cpp's vendor folder (src/http alone uses it)
# and LLAMA_VERSION_TEXT, e.g. "0.5.0-dev (llama-cpp-python-0.3.36)", for `zoomr --version`.

set(ZOOMR_LLAMA_PREFIX "${PROJECT_SOURCE_DIR}/out-llama/install" CACHE PATH
    "Where script/llama has installed llama.cpp")

if(NOT EXISTS "${ZOOMR_LLAMA_PREFIX}/lib/cmake/llama/llama-config.cmake")
  message(FATAL_ERROR "llama.cpp is not in ${ZOOMR_LLAMA_PREFIX}: run script/llama first "
                      "(or set ZOOMR_LLAMA_PREFIX)")
endif()

# A build with other options (-DGGML_CUDA=ON) has other libraries, and upstream's packages look for
# some of them through the cache: forget what an earlier build left there.
file(SHA256 "${ZOOMR_LLAMA_PREFIX}/stamp" zoomr_llama_stamp)
string(PREPEND zoomr_llama_stamp "${ZOOMR_LLAMA_PREFIX} ")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${ZOOMR_LLAMA_PREFIX}/stamp")
if(NOT zoomr_llama_stamp STREQUAL "${ZOOMR_LLAMA_STAMP}")
  unset(llama_LIBRARY CACHE)
  unset(llama_DIR CACHE)
  unset(ggml_DIR CACHE)
  set(ZOOMR_LLAMA_STAMP "${zoomr_llama_stamp}" CACHE INTERNAL "The build of llama.cpp in use")
endif()

find_package(Threads REQUIRED)
find_package(ggml CONFIG REQUIRED PATHS "${ZOOMR_LLAMA_PREFIX}" NO_DEFAULT_PATH)
find_package(llama CONFIG REQUIRED PATHS "${ZOOMR_LLAMA_PREFIX}" NO_DEFAULT_PATH)

# Upstream's package of a static build names the CUDA driver alone.
if(GGML_CUDA AND NOT GGML_STATIC)
  find_package(CUDAToolkit REQUIRED)
  target_link_libraries(ggml::ggml-cuda INTERFACE CUDA::cudart CUDA::cublas)
endif()
set(LLAMA_VERSION_TEXT "${LLAMA_VERSION} (${LLAMA_BUILD_COMMIT})")

if(NOT TARGET cpp-httplib)
  add_library(cpp-httplib STATIC IMPORTED)
  set_target_properties(cpp-httplib PROPERTIES
    IMPORTED_LOCATION
      "${ZOOMR_LLAMA_PREFIX}/lib/${CMAKE_STATIC_LIBRARY_PREFIX}cpp-httplib${CMAKE_STATIC_LIBRARY_SUFFIX}"
    INTERFACE_INCLUDE_DIRECTORIES "${ZOOMR_LLAMA_PREFIX}/include/cpp-httplib"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${ZOOMR_LLAMA_PREFIX}/include/cpp-httplib")
  target_link_libraries(cpp-httplib INTERFACE Threads::Threads)
endif()

if(NOT TARGET llama-common)
  add_library(llama-common STATIC IMPORTED)
  set(zoomr_llama_lib "${ZOOMR_LLAMA_PREFIX}/lib/${CMAKE_STATIC_LIBRARY_PREFIX}")
  set_target_properties(llama-common PROPERTIES
    IMPORTED_LOCATION "${zoomr_llama_lib}llama-common${CMAKE_STATIC_LIBRARY_SUFFIX}"
    IMPORTED_LINK_INTERFACE_LANGUAGES "CXX"
    INTERFACE_INCLUDE_DIRECTORIES "${ZOOMR_LLAMA_PREFIX}/include/llama-common"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${ZOOMR_LLAMA_PREFIX}/include/llama-common")
  # In the order a linker needs that reads each archive once.
  foreach(part llama-common-base cpp-httplib vendor-hash)
    target_link_libraries(llama-common INTERFACE
      "${zoomr_llama_lib}${part}${CMAKE_STATIC_LIBRARY_SUFFIX}")
  endforeach()
  target_link_libraries(llama-common INTERFACE llama Threads::Threads)
endif()
