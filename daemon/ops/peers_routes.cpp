#include "daemon/ops/peers_routes.h"

#include "core/text.h"
#include "sync/dicom_callers.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;

core::Result<Json> list_peers(sync::Holdings& holdings,
                              const adapters::dicom::DicomOptions& dicom) {
  GW_TRY(const Json callers, holdings.database().read_value<Json>(sync::callers_report));
  Json peers = Json::array();
  for (const adapters::dicom::DicomPeer& peer : dicom.peers) {
    peers.add(Json::object({{"name", peer.name},
                            {"ae_title", peer.ae_title},
                            {"host", peer.host},
                            {"port", static_cast<std::int64_t>(peer.port)}}));
  }
  Json document = Json::object();
  document.set("callers", callers);
  document.set("peers", peers);
  return document;
}

core::Result<Json> change_callers(sync::Holdings& holdings, const core::Clock& clock, bool approves,
                                  const std::string& body, const Caller& caller) {
  GW_TRY(const Json wish, Json::parse(body, 4));
  if (!wish["ae_title"].is_string())
    return Error(Code::invalid, R"(the body must be {"ae_title":"...","address":"..."})");
  const std::string ae_title(wish["ae_title"].text());
  const std::string address(wish["address"].text());
  std::int64_t count = 0;
  const auto change = [&](crypto::Connection& connection) -> core::Status {
    GW_TRY(count, approves ? sync::approve_callers(connection, ae_title, address)
                           : sync::remove_callers(connection, ae_title, address));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = caller.actor,
                                                .action = approves ? "approve" : "remove",
                                                .resource = core::cat("DicomCaller/", ae_title),
                                                .patient = "",
                                                .source = caller.source,
                                                .outcome = "success"});
  };
  GW_CHECK(holdings.database().write(change));
  return Json::object({{"changed", count}});
}

}  // namespace

core::Result<Json> answer_peers(sync::Holdings& holdings, const core::Clock& clock,
                                const adapters::dicom::DicomOptions& dicom, std::string_view method,
                                std::string_view path, const std::string& body,
                                const Caller& caller) {
  const bool approves = path == core::cat(kPeerRoutes, "/approve");
  const bool is_list = path == kPeerRoutes;
  if (!is_list && !approves && path != core::cat(kPeerRoutes, "/remove"))
    return Error(Code::not_found, "there is no such route");
  if (method != (is_list ? "GET" : "POST"))
    return Error(Code::refused, core::cat("this route takes ", is_list ? "GET" : "POST"));
  return is_list ? list_peers(holdings, dicom)
                 : change_callers(holdings, clock, approves, body, caller);
}

}  // namespace gateway::daemon
