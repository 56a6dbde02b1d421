# Flags of our own code; third-party headers come in as SYSTEM.
add_library(gateway_flags INTERFACE)
target_compile_options(gateway_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow)
if(GATEWAY_WERROR)
  target_compile_options(gateway_flags INTERFACE -Werror)
endif()
target_include_directories(gateway_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
if(GATEWAY_SANITIZE)
  target_compile_options(gateway_flags INTERFACE -fsanitize=${GATEWAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gateway_flags INTERFACE -fsanitize=${GATEWAY_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With the sanitizers' code between, g++ warns of what it does not see through; the builds without them look for it.
    target_compile_options(gateway_flags INTERFACE -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
  endif()
  if(GATEWAY_FUZZ)
    # RapidJSON's headers add to a null pointer, which clang minds.
    target_compile_options(gateway_flags INTERFACE -fno-sanitize=pointer-overflow)
  endif()
  if(GATEWAY_SANITIZE MATCHES thread)
    # g++ 12 warns of the fences inside Asio's own headers.
    target_compile_options(gateway_flags INTERFACE -Wno-tsan)
  endif()
endif()
target_link_options(gateway_flags INTERFACE -Wl,-z,relro,-z,now)

# gateway_room(NAME SOURCES a.cpp ... [LINKS targets ...] [PUBLIC_LINKS targets ...])
# One static target per room or adapter. Third-party links are private: their headers stay inside.
function(gateway_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS;PUBLIC_LINKS" ${ARGN})
  if(NOT ROOM_SOURCES)
    add_library(${name} INTERFACE)
    return()
  endif()
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC gateway_flags ${ROOM_PUBLIC_LINKS} PRIVATE ${ROOM_LINKS})
endfunction()

# gateway_migrations(TARGET ROOM): turns <dir>/migrations/NNNN_name.sql into "<room>/migrations.h" with
# gateway::ROOM::migrations(), in number order.
function(gateway_migrations target room)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/migrations/*.sql)
  set(folder ${CMAKE_BINARY_DIR}/generated/${room})
  set(output ${folder}/migrations.h)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DROOM=${room} -DOUTPUT=${output} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedMigrations.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/EmbedMigrations.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
  # For who compiles some of the room's sources apart.
  add_custom_target(${target}_migrations DEPENDS ${output})
  add_dependencies(${target} ${target}_migrations)
endfunction()
