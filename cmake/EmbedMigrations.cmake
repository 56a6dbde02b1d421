# Writes OUTPUT: a header whose gateway::ROOM::migrations() answers the room's SQL files.
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(base ${file} NAME_WE)
  string(REGEX MATCH "^([0-9]+)_(.+)$" ignored ${base})
  math(EXPR number "${CMAKE_MATCH_1}")
  set(name ${CMAKE_MATCH_2})
  file(READ ${file} sql)
  string(APPEND rows "      crypto::Migration{\"${ROOM}\", ${number}, \"${name}\", R\"SQL(${sql})SQL\"},\n")
endforeach()
list(LENGTH FILES count)
file(WRITE ${OUTPUT} "// Made from the room's migrations/*.sql at build time.
#pragma once

#include <array>

#include \"crypto/database.h\"

namespace gateway::${ROOM} {

inline std::array<crypto::Migration, ${count}> migrations() {
  return {
${rows}  };
}

}  // namespace gateway::${ROOM}
")
