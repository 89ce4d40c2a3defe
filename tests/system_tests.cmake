# Tests beyond the pure layers: real models, the program, the scripts, style, sanitizers.

zoomr_tests(model_tests model
  SOURCES
    model/attention_test.cpp
    model/exactness_test.cpp
    model/model_test.cpp
    model/redecode_test.cpp
    model/rope_test.cpp
    model/run_test.cpp
    model/sampler_test.cpp
    model/serve_test.cpp
    model/support_test.cpp
  LIBRARIES zoomr_cli zoomr_serve
  PROPERTIES RUN_SERIAL TRUE)  # two at once would share the cores, and crawl

zoomr_tests(eval_tests unit
  SOURCES
    eval/model_check_test.cpp
    eval/redecode_test.cpp
    eval/scorers_test.cpp
    eval/simulator_test.cpp
    eval/statistics_test.cpp
    eval/table_test.cpp
  LIBRARIES zoomr_eval zoomr_serve zoomr_fake)

zoomr_tests(chat_tests unit
  SOURCES
    chat/think_families_test.cpp
  LIBRARIES zoomr_chat)

zoomr_tests(http_tests unit
  SOURCES
    http/chat_reply_test.cpp
    http/limits_test.cpp
    http/request_test.cpp
    http/server_test.cpp
    http/stream_test.cpp
  LIBRARIES zoomr_http cpp-httplib)
target_include_directories(http_tests PRIVATE http)

# Each method of the Python files is a test of its own; with CLASSES each class, whose methods share
# something that takes time to start.
function(zoomr_python_tests file label)
  set(of_a_class "[c.name + '.' + f.name for f in c.body if isinstance(f, ast.FunctionDef) and f.name.startswith('test')]")
  if("CLASSES" IN_LIST ARGN)
    set(of_a_class "[c.name]")
  endif()
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -c
      "import ast,sys; [print(n) for c in ast.parse(open(sys.argv[1]).read()).body if isinstance(c, ast.ClassDef) for n in ${of_a_class}]"
      ${CMAKE_CURRENT_SOURCE_DIR}/${file}
    OUTPUT_VARIABLE names OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  string(REPLACE "\n" ";" names "${names}")
  foreach(name IN LISTS names)
    add_test(NAME ${label}.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${name})
    set_tests_properties(${label}.${name} PROPERTIES LABELS ${label} TIMEOUT 600 RUN_SERIAL TRUE
      ENVIRONMENT "ZOOMR=$<TARGET_FILE:zoomr_program>;ZOOMR_ROOT=${PROJECT_SOURCE_DIR}")
  endforeach()
endfunction()

zoomr_python_tests(cli/test_run.py cli)
zoomr_python_tests(cli/test_errors.py cli)
zoomr_python_tests(cli/test_eval.py cli)
zoomr_python_tests(cli/test_selection.py cli)
zoomr_python_tests(cli/test_tools.py cli)
zoomr_python_tests(cli/test_readme.py cli)
zoomr_python_tests(http/test_server.py server CLASSES)
zoomr_python_tests(http/test_openai.py server CLASSES)
zoomr_python_tests(http/test_turns.py server CLASSES)
zoomr_python_tests(http/test_docs.py server)
# ZOOMR_SOAK_SECONDS: how long, 30 otherwise.
add_test(NAME server.soak COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/http/soak.py)
set_tests_properties(server.soak PROPERTIES LABELS server TIMEOUT 3600 RUN_SERIAL TRUE
  ENVIRONMENT "ZOOMR=$<TARGET_FILE:zoomr_program>;ZOOMR_ROOT=${PROJECT_SOURCE_DIR}")
zoomr_python_tests(script/test_scripts.py cli)
zoomr_python_tests(script/test_tasks.py unit)

add_test(NAME style.clang-format COMMAND ${PROJECT_SOURCE_DIR}/script/style format)
add_test(NAME style.clang-tidy COMMAND ${PROJECT_SOURCE_DIR}/script/style tidy)
set_tests_properties(style.clang-format style.clang-tidy PROPERTIES LABELS style TIMEOUT 1800)

# The sanitizers' tree, which script/test builds beside this one.
foreach(name unit_tests engine_tests serve_tests)
  add_test(NAME asan.${name} COMMAND ${PROJECT_SOURCE_DIR}/out-asan/bin/${name} --gtest_brief=1)
  set_tests_properties(asan.${name} PROPERTIES LABELS asan TIMEOUT 900)
endforeach()

# The installed tree, used by another project as its README says.
add_test(NAME install.example COMMAND ${PROJECT_SOURCE_DIR}/tests/install/run ${PROJECT_BINARY_DIR})
set_tests_properties(install.example PROPERTIES LABELS cli TIMEOUT 900)
