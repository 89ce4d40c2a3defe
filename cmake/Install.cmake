# cmake --install: the program, its manuals, the headers, the static libraries and a package that
# brings llama.cpp's own package along, so that find_package(zoomr) needs nothing else of ours.
include(CMakePackageConfigHelpers)

install(TARGETS zoomr_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS zoomr_core zoomr_engine zoomr zoomr_chat EXPORT zoomr-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY eval/tasks DESTINATION ${CMAKE_INSTALL_DATADIR}/zoomr)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}
        FILES_MATCHING PATTERN "*.md" PATTERN "*.schema.json" PATTERN results EXCLUDE)
install(DIRECTORY include/zoomr DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT zoomr-targets NAMESPACE zoomr:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/zoomr)
install(DIRECTORY ${ZOOMR_LLAMA_PREFIX}/lib/ DESTINATION ${CMAKE_INSTALL_LIBDIR}/zoomr-llama/lib
        PATTERN pkgconfig EXCLUDE)
install(DIRECTORY ${ZOOMR_LLAMA_PREFIX}/include/
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/zoomr-llama/include
        PATTERN llama-common EXCLUDE)

configure_package_config_file(cmake/zoomr-config.cmake.in
  ${PROJECT_BINARY_DIR}/zoomr-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/zoomr)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/zoomr-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/zoomr-config.cmake
              ${PROJECT_BINARY_DIR}/zoomr-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/zoomr)
