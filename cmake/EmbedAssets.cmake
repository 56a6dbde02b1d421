# Writes OUTPUT: the console's FILES as daemon/api/console/assets.h finds them.
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_json "application/json")
set(type_svg "image/svg+xml")
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  file(READ ${file} bytes)
  string(APPEND rows "    Asset{\"${name}\", \"${type_${extension}}\", R\"ASSET(${bytes})ASSET\"},\n")
endforeach()
list(LENGTH FILES count)
file(WRITE ${OUTPUT} "// Made from daemon/console/ at build time.
#include \"daemon/api/console/assets.h\"

#include <algorithm>
#include <array>

namespace gateway::daemon::console {
namespace {

constexpr std::array<Asset, ${count}> kAssets = {
${rows}};

}  // namespace

const Asset* find_asset(std::string_view name) {
  const auto found = std::ranges::find(kAssets, name, &Asset::name);
  return found == kAssets.end() ? nullptr : &*found;
}

}  // namespace gateway::daemon::console
")
