# Build rules shared by every folder: compiler settings, found packages, and
# `bellwether_library` / `bellwether_program` / `bellwether_test`, so that a folder's
# CMakeLists.txt says only what it is made of and what it may use.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
if(BUILD_TESTING AND NOT BELLWETHER_FUZZ)
  find_package(GTest REQUIRED)
endif()
find_package(Protobuf REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
if(NOT BELLWETHER_PURE_ONLY)
  find_package(gRPC CONFIG REQUIRED)
  find_package(RocksDB REQUIRED)
  pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
  pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Without this it would not cache what includes a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(bellwether_flags INTERFACE)
target_compile_options(bellwether_flags INTERFACE -Wall -Wextra -Wno-unused-parameter -Werror
  -Wno-missing-field-initializers -msse4.2 -pthread)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12 in inlined standard and abseil containers.
  target_compile_options(bellwether_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict
    -Wno-stringop-overflow -Wno-array-bounds -Wno-stringop-overread -Wno-dangling-pointer)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(bellwether_flags INTERFACE -Wthread-safety)
endif()
target_include_directories(bellwether_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_link_libraries(bellwether_flags INTERFACE fmt::fmt)
if(BELLWETHER_SANITIZE)
  add_compile_options(-fsanitize=${BELLWETHER_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BELLWETHER_SANITIZE})
  if(BELLWETHER_SANITIZE STREQUAL "thread")
    add_compile_options(-Wno-tsan)  # asio's fences, which stand beside locks
  endif()
endif()

# bellwether_precompiled(NAME HEADERS ...): headers of others that most files include, compiled once for
# all targets that take them by `target_precompile_headers(TARGET REUSE_FROM NAME)`: a third of a clean
# build's time. Those have NAME's compile options. Files still include what they use: preset `clang`
# compiles without.
function(bellwether_precompiled NAME)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${NAME}.cc CONTENT "")
  add_library(${NAME} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${NAME}.cc)
  target_link_libraries(${NAME} PRIVATE bellwether_flags)
  target_precompile_headers(${NAME} PRIVATE ${ARGN})
endfunction()

set(COMMON_HEADERS
  <algorithm> <cstdint> <deque> <functional> <map> <memory> <optional> <set> <string> <string_view>
  <utility> <variant> <vector>
  <absl/container/flat_hash_map.h> <absl/functional/any_invocable.h> <absl/status/status.h>
  <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/time/time.h> <fmt/format.h>)
bellwether_precompiled(bellwether_headers ${COMMON_HEADERS})
if(TARGET GTest::gtest)
  bellwether_precompiled(bellwether_test_headers ${COMMON_HEADERS} <gmock/gmock.h> <gtest/gtest.h>)
  target_compile_options(bellwether_test_headers PRIVATE -O0)
  target_link_libraries(bellwether_test_headers PRIVATE GTest::gtest GTest::gmock)
endif()

# In a build with BELLWETHER_PURE_ONLY gRPC and RocksDB have no targets: sets RESULT to true when
# one of the targets that follow is missing, so that whatever uses it is left out of that build.
function(bellwether_left_out RESULT)
  set(${RESULT} OFF PARENT_SCOPE)
  foreach(DEPENDENCY ${ARGN})
    if(BELLWETHER_PURE_ONLY AND NOT TARGET ${DEPENDENCY})
      set(${RESULT} ON PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# bellwether_library(NAME [DEPS ...] [SOURCES ...] [EXCEPT ...]): a static library of SOURCES, or else of
# every .cc file of the calling folder, except those named main.cc or in EXCEPT.
function(bellwether_library NAME)
  cmake_parse_arguments(ARG "" "" "DEPS;SOURCES;EXCEPT" ${ARGN})
  bellwether_left_out(LEFT_OUT ${ARG_DEPS})
  if(LEFT_OUT)
    return()
  endif()
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
    foreach(FILE main.cc ${ARG_EXCEPT})
      list(REMOVE_ITEM ARG_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${FILE})
    endforeach()
  endif()
  add_library(${NAME} STATIC ${ARG_SOURCES})
  target_link_libraries(${NAME} PUBLIC bellwether_flags ${ARG_DEPS})
  target_precompile_headers(${NAME} REUSE_FROM bellwether_headers)
endfunction()

# bellwether_program(NAME SOURCES ... DEPS ...): an executable in build/<preset>/bin.
function(bellwether_program NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  bellwether_left_out(LEFT_OUT ${ARG_DEPS})
  if(LEFT_OUT)
    return()
  endif()
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE bellwether_flags ${ARG_DEPS})
  target_precompile_headers(${NAME} REUSE_FROM bellwether_headers)
endfunction()

# bellwether_unity(TARGET): compiles its sources six at a time, in a third less time: what they instantiate
# they instantiate once. Their unnamed namespaces become one, so names in those must differ.
function(bellwether_unity TARGET)
  set_target_properties(${TARGET} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
endfunction()

# What a sanitizer run builds: every unit test, and the programs that simulation tests run.
add_custom_target(unit_tests)
add_custom_target(sim_tests)

# bellwether_test(FOLDER [DEPS ...]): one GoogleTest binary of every .cc file in
# tests/unit/FOLDER, each case a CTest of label "unit".
function(bellwether_test FOLDER)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  bellwether_left_out(LEFT_OUT ${ARG_DEPS})
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${FOLDER}/*.cc)
  if(LEFT_OUT OR NOT SOURCES)
    return()
  endif()
  string(REPLACE "/" "_" NAME unit_${FOLDER})
  add_executable(${NAME} ${SOURCES})
  add_dependencies(unit_tests ${NAME})
  target_compile_options(${NAME} PRIVATE -O0)  # compiles in half the time
  target_link_libraries(${NAME} PRIVATE bellwether_flags ${ARG_DEPS} GTest::gtest GTest::gmock
    GTest::gtest_main)
  target_precompile_headers(${NAME} REUSE_FROM bellwether_test_headers)
  bellwether_unity(${NAME})
  gtest_discover_tests(${NAME} TEST_PREFIX "${FOLDER}: " DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS unit TIMEOUT 60)
endfunction()

# bellwether_script_test(NAME LABEL SECONDS COMMAND...): a CTest that runs a command in the
# repository's root with a time limit. A command that can't run here exits with 77: that is a skip,
# not a pass. It finds the build folder in BELL_BUILD_DIR and the programs in BELL_BIN.
function(bellwether_script_test NAME LABEL SECONDS)
  add_test(NAME ${NAME} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${NAME} PROPERTIES LABELS "${LABEL}" TIMEOUT ${SECONDS}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "BELL_BUILD_DIR=${CMAKE_BINARY_DIR};BELL_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endfunction()
