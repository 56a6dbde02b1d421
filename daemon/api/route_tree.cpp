#include "daemon/api/route_tree.h"

namespace gateway::daemon {
namespace {

using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (prefix.empty() || path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

std::string_view path_of(const HttpRequest& request) {
  return std::string_view(request.target).substr(0, request.target.find('?'));
}

void RouteTree::mount(std::string prefix, core::net::HttpsHandler handler) {
  faces_.emplace_back(std::move(prefix), std::move(handler));
}

Awaitable<HttpResponse> RouteTree::answer(HttpRequest request, const HttpPeer& peer) const {
  const core::net::HttpsHandler* best = nullptr;
  std::size_t length = 0;
  for (const auto& [prefix, handler] : faces_) {
    if (!is_below(path_of(request), prefix) || (best != nullptr && prefix.size() < length))
      continue;
    best = &handler;
    length = prefix.size();
  }
  if (best == nullptr) {
    co_return HttpResponse{404, {{"Content-Type", "text/plain"}}, "there is nothing here\n"};
  }
  co_return co_await (*best)(std::move(request), peer);
}

}  // namespace gateway::daemon
