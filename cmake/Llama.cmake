# llama.cpp as script/llama built it: the target `llama` with ggml behind it, and `llama-common`,
# the static common library, which upstream installs without headers.
set(ZOOMR_LLAMA_PREFIX ${PROJECT_SOURCE_DIR}/out-llama/install CACHE PATH "llama.cpp's prefix")
if(NOT EXISTS ${ZOOMR_LLAMA_PREFIX}/lib/cmake/llama/llama-config.cmake)
  message(FATAL_ERROR "llama.cpp is not at ${ZOOMR_LLAMA_PREFIX}: run script/llama")
endif()
list(PREPEND CMAKE_PREFIX_PATH ${ZOOMR_LLAMA_PREFIX})
find_package(llama CONFIG REQUIRED)

add_library(llama-common INTERFACE IMPORTED)
target_include_directories(llama-common SYSTEM INTERFACE
  ${ZOOMR_LLAMA_PREFIX}/include/llama-common)
set(libraries ${ZOOMR_LLAMA_PREFIX}/lib)
target_link_libraries(llama-common INTERFACE
  ${libraries}/libllama-common.a ${libraries}/libllama-common-base.a llama
  ${libraries}/libvendor-hash.a ${libraries}/libcpp-httplib.a Threads::Threads)
