# What Debian brings. Each has its line in docs/dependencies.md; packaging/install-deps.sh installs them.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(DCMTK REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(date REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(MOSQUITTO REQUIRED IMPORTED_TARGET libmosquitto)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
# The .pc file carries SQLite's version: 3.46 is SQLCipher 4.6.
pkg_check_modules(SQLCIPHER REQUIRED IMPORTED_TARGET sqlcipher>=3.46)

# Boost.Asio and Beast are used as headers only.
find_path(BOOST_INCLUDE_DIR boost/beast/version.hpp REQUIRED)
add_library(gateway_boost INTERFACE)
target_include_directories(gateway_boost SYSTEM INTERFACE ${BOOST_INCLUDE_DIR})
target_compile_definitions(gateway_boost INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
                                                   BOOST_BEAST_SEPARATE_COMPILATION)
target_link_libraries(gateway_boost INTERFACE OpenSSL::SSL OpenSSL::Crypto Threads::Threads)

add_library(gateway_sqlcipher INTERFACE)
target_compile_definitions(gateway_sqlcipher INTERFACE SQLITE_HAS_CODEC)
target_include_directories(gateway_sqlcipher SYSTEM INTERFACE ${SQLCIPHER_INCLUDE_DIRS})
if(GATEWAY_STATIC_SQLCIPHER)
  find_library(SQLCIPHER_ARCHIVE libsqlcipher.a REQUIRED)
  target_link_libraries(gateway_sqlcipher INTERFACE ${SQLCIPHER_ARCHIVE} OpenSSL::Crypto m ${CMAKE_DL_LIBS})
else()
  target_link_libraries(gateway_sqlcipher INTERFACE PkgConfig::SQLCIPHER)
endif()
