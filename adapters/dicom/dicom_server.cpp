#include "adapters/dicom/dicom_server.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmnet/dul.h>
#include <dcmtk/oflog/oflog.h>

#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "adapters/dicom/admission.h"
#include "adapters/dicom/archive_scp.h"
#include "adapters/dicom/association.h"
#include "adapters/dicom/commitment_reporter.h"
#include "adapters/dicom/commitment_scp.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/listener.h"
#include "adapters/dicom/mpps_scp.h"
#include "adapters/dicom/query_trail.h"
#include "adapters/dicom/retrieve_scp.h"
#include "adapters/dicom/store_scp.h"
#include "adapters/dicom/traffic.h"
#include "adapters/dicom/worklist_scp.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/archive.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

// Connections beyond the limit get as far as a polite rejection, a few at a time.
constexpr std::size_t kRejectionsMax = 8;

constexpr std::size_t kTlsDoor = 1;  // of the listener's ports

constexpr core::Milliseconds kTurn{1'000};  // the watchdog sees the accepting thread this often

constexpr Sint32 kConnectSeconds = 5;  // for calling a modality: a stop waits for it

// DCMTK's own log may name patients; every event worth a line is ours to write.
core::Status prepare_dcmtk() {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
  register_codecs();
  dcmDisableGethostbyaddr.set(OFTrue);
  dcmConnectionTimeout.set(kConnectSeconds);
  if (dcmDataDict.isDictionaryLoaded()) return {};
  return Error(
      Code::invalid,
      "DCMTK's data dictionary is missing; install the package dcmtk's libraries come from again");
}

// Serves one association from its request to its end.
class Session {
 public:
  Session(const DicomOptions& options, const sync::HoldingsDoor& door, const core::Clock& clock,
          Traffic& traffic, Admission& admission, QueryTrail& query_trail, Association& association)
      : options_(options),
        admission_(admission),
        door_(door),
        clock_(clock),
        traffic_(traffic),
        query_trail_(query_trail),
        association_(association),
        store_(association, door, traffic) {}

  void run() {
    const Admission::Decision decision = admit();
    if (!decision.is_admitted) return;
    character_set_ = decision.character_set;
    const auto accepted = association_.accept(decision.rights, held_syntaxes());
    if (!accepted.ok() || !accepted.value()) {
      ++traffic_.rejected;
      core::log_warn("dicom", accepted.ok() ? cat("association refused: ", caller(),
                                                  " proposed no service it may use here")
                                            : accepted.error().message());
      return;
    }
    ++traffic_.associations;
    Association::Command command;
    Association::Next next = Association::Next::command;
    while (next == Association::Next::command) {
      traffic_.last_seen =
          std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch())
              .count();
      next = association_.next_command(command, options_.idle_timeout);
      if (next == Association::Next::command && !serve(command)) next = Association::Next::failed;
    }
    log_end(next);
  }

 private:
  HeldSyntaxes held_syntaxes() {
    HeldSyntaxes held;
    const std::shared_ptr<sync::Holdings> holdings = door_.get();
    if (!holdings || !association_.proposes_retrieval()) return held;
    const auto usual =
        holdings->database().read_value<std::vector<sync::ArchiveSyntax>>(sync::usual_syntaxes);
    if (!usual.ok()) return held;  // it is a preference only
    for (const sync::ArchiveSyntax& syntax : *usual)
      held.emplace(syntax.sop_class_uid, syntax.transfer_syntax_uid);
    return held;
  }

  bool serve_find(const Association::Command& command) {
    const auto serve =
        service_of(association_.context(command.context).abstract_syntax) == Service::archive_query
            ? serve_archive_query
            : serve_worklist;
    return serve(association_, command.context, command.message.msg.CFindRQ, door_, character_set_,
                 query_trail_, traffic_);
  }

  std::string caller() const {
    return cat(association_.calling_title(), " at ", association_.peer().address());
  }

  Admission::Decision admit() {
    Admission::Decision decision =
        admission_.decide({association_.calling_title(), association_.called_title(),
                           association_.peer().address(), association_.peer().is_encrypted()});
    if (decision.is_admitted) return decision;
    ++traffic_.rejected;
    if (decision.rejection == Rejection::calling_title_unknown) ++traffic_.strangers;
    core::log_warn("dicom", cat("association refused: ", caller(), ": ", decision.why));
    association_.reject(decision.rejection);
    return decision;
  }

  bool serve(const Association::Command& command) {
    switch (command.message.CommandField) {
      case DIMSE_C_ECHO_RQ:
        ++traffic_.echoes;
        return DIMSE_sendEchoResponse(association_.handle(), command.context,
                                      &command.message.msg.CEchoRQ, STATUS_Success, nullptr)
            .good();
      case DIMSE_C_STORE_RQ:
        return store_.serve(command.context, command.message.msg.CStoreRQ);
      case DIMSE_C_FIND_RQ:
        return serve_find(command);
      case DIMSE_C_GET_RQ:
        return serve_get(association_, command.context, command.message.msg.CGetRQ,
                         {options_, door_, clock_, traffic_});
      case DIMSE_C_MOVE_RQ:
        return serve_move(association_, command.context, command.message.msg.CMoveRQ,
                          {options_, door_, clock_, traffic_});
      case DIMSE_N_CREATE_RQ:
        return serve_step_create(association_, command.context, command.message.msg.NCreateRQ,
                                 door_, traffic_);
      case DIMSE_N_SET_RQ:
        return serve_step_set(association_, command.context, command.message.msg.NSetRQ, door_,
                              traffic_);
      case DIMSE_N_ACTION_RQ:
        return serve_commitment_request(association_, command.context,
                                        command.message.msg.NActionRQ, door_, clock_, traffic_);
      case DIMSE_C_CANCEL_RQ:
        return true;  // of a query that has been answered already
      default:
        core::log_warn(
            "dicom",
            cat(caller(), " sent a command this gateway does not serve; association aborted"));
        association_.abort();
        return false;
    }
  }

  void log_end(Association::Next next) {
    const std::string summary = store_.summary();
    const bool orderly = next == Association::Next::released || next == Association::Next::aborted;
    if (summary.empty() && orderly) return;
    const std::string_view end = next == Association::Next::released  ? "released"
                                 : next == Association::Next::aborted ? "aborted by the peer"
                                                                      : "broken off";
    core::log(orderly ? core::Level::info : core::Level::warn, "dicom",
              cat("association of ", caller(), " ", end, summary.empty() ? "" : ": ", summary));
  }

  const DicomOptions& options_;
  Admission& admission_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  Traffic& traffic_;
  QueryTrail& query_trail_;
  Association& association_;
  StoreScp store_;
  std::string character_set_;  // the peer's, for queries that name none
};

class Server final : public DicomServer {
 public:
  Server(DicomOptions options, const sync::HoldingsDoor& door, const core::Clock& clock)
      : options_(std::move(options)),
        door_(door),
        clock_(clock),
        admission_(options_, door, clock),
        query_trail_(clock) {}
  ~Server() override { stop(); }

  std::string_view name() const override { return "dicom"; }
  core::Status start() override;
  void stop() override;
  core::Json report() const override;
  std::uint16_t port() const override { return port_; }
  std::uint16_t tls_port() const override { return tls_port_; }
  std::optional<std::uint64_t> turns() const override;

 private:
  struct Connection {
    std::shared_ptr<PeerSocket> peer;
    bool wants_tls = false;
    std::atomic<bool> ended{false};
    std::thread thread;
  };

  core::Status open();
  void accept_connections();
  void take(Listener::Accepted accepted);
  void join_ended();
  void serve(Connection& connection);
  bool is_secured(PeerSocket& peer);
  void serve_association(const std::shared_ptr<PeerSocket>& peer);

  const DicomOptions options_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  Admission admission_;
  QueryTrail query_trail_;
  Traffic traffic_;
  std::atomic<std::uint16_t> port_{0};
  std::atomic<std::uint16_t> tls_port_{0};
  std::atomic<std::uint64_t> turns_{0};
  std::unique_ptr<core::net::TlsServer> tls_;  // null: plain only
  std::unique_ptr<Acceptor> acceptor_;
  std::optional<Listener> listener_;
  std::thread accepting_;
  std::unique_ptr<CommitmentReporter> reporter_;
  bool says_full_ = false;             // the accepting thread's
  std::list<Connection> connections_;  // the accepting thread's; stop()'s once that one is joined
  mutable std::mutex state_mutex_;
  bool running_ = false;
  std::string problem_;
};

core::Status Server::start() {
  {
    const std::lock_guard lock(state_mutex_);
    if (running_) return {};
  }
  core::Status opened = open();
  const std::lock_guard lock(state_mutex_);
  running_ = opened.ok();
  problem_ = opened.ok() ? "" : opened.error().message();
  return opened;
}

core::Status Server::open() {
  GW_CHECK(prepare_dcmtk());
  std::vector<ListenPort> ports{{"dicom.port", options_.port}};
  tls_.reset();
  if (options_.has_tls()) {
    GW_TRY(tls_, core::net::TlsServer::create(options_.tls));
    ports.push_back({"dicom.tls_port", options_.tls_port});
  }
  GW_TRY(Listener listener, Listener::open(options_.bind, ports));
  GW_TRY(acceptor_, Acceptor::create(options_.pdu_bytes_max));
  port_ = listener.port(0);
  tls_port_ = tls_ ? listener.port(kTlsDoor) : std::uint16_t{0};
  listener_.emplace(std::move(listener));
  accepting_ = std::thread([this] { accept_connections(); });
  reporter_ = CommitmentReporter::start(options_, door_, clock_, traffic_);
  core::log_info("dicom",
                 cat("listening on ", options_.bind, " port ", port_.load(), " as ",
                     options_.ae_title, tls_ ? cat(", over TLS on port ", tls_port_.load()) : ""));
  return {};
}

void Server::stop() {
  reporter_.reset();
  if (accepting_.joinable()) {
    listener_->wake();
    accepting_.join();
  }
  for (Connection& connection : connections_) connection.peer->shut();
  for (Connection& connection : connections_) connection.thread.join();
  connections_.clear();
  listener_.reset();
  acceptor_.reset();
  const std::lock_guard lock(state_mutex_);
  running_ = false;
  problem_.clear();
}

void Server::accept_connections() {
  while (true) {
    Listener::Accepted accepted = listener_->accept(kTurn);
    ++turns_;
    if (accepted.what == Listener::Accepted::What::woken) return;
    join_ended();
    if (accepted.what == Listener::Accepted::What::connection) take(std::move(accepted));
  }
}

std::optional<std::uint64_t> Server::turns() const {
  const std::lock_guard lock(state_mutex_);
  return running_ ? std::optional(turns_.load()) : std::nullopt;
}

void Server::take(Listener::Accepted accepted) {
  auto peer = std::make_shared<PeerSocket>(accepted.socket, std::move(accepted.peer_address),
                                           options_.stall_timeout);
  if (connections_.size() >= options_.associations_max + kRejectionsMax) {
    ++traffic_.rejected;
    // One line a crowd, not one a caller.
    if (!std::exchange(says_full_, true)) {
      core::log_warn(
          "dicom", cat("hung up on ", peer->address(), " and on who follows: ", connections_.size(),
                       " connections are open; see dicom.max_associations"));
    }
    return;
  }
  says_full_ = false;
  Connection& connection = connections_.emplace_back();
  connection.peer = std::move(peer);
  connection.wants_tls = accepted.at == kTlsDoor;
  try {
    connection.thread = std::thread([this, &connection] { serve(connection); });
  } catch (const std::system_error&) {
    core::log_error("dicom", "no thread for another association; the peer was hung up on");
    connections_.pop_back();
  }
}

void Server::join_ended() {
  connections_.remove_if([](Connection& connection) {
    if (!connection.ended) return false;
    connection.thread.join();
    return true;
  });
}

void Server::serve(Connection& connection) {
  try {
    if (!connection.wants_tls || is_secured(*connection.peer)) serve_association(connection.peer);
  } catch (const std::exception& error) {
    core::log_error("dicom", cat("association of ", connection.peer->address(),
                                 " ended by an internal fault: ", error.what()));
  }
  connection.peer->close();
  connection.ended = true;
}

bool Server::is_secured(PeerSocket& peer) {
  std::string why;
  if (peer.secure(*tls_, why)) return true;
  ++traffic_.rejected;
  core::log_warn("dicom", cat("no TLS with ", peer.address(), ": ", why));
  return false;
}

void Server::serve_association(const std::shared_ptr<PeerSocket>& peer) {
  switch (peer->await_associate_request()) {
    case PeerSocket::Begin::gone:
      return;
    case PeerSocket::Begin::not_dicom:
      ++traffic_.rejected;
      core::log_warn("dicom", cat(peer->address(), " does not speak DICOM; hung up"));
      return;
    case PeerSocket::Begin::associate_request:
      break;
  }
  auto association = Association::receive(*acceptor_, peer);
  if (!association.ok()) {
    ++traffic_.rejected;
    core::log_warn("dicom", association.error().message());
    return;
  }
  struct OpenCount {
    explicit OpenCount(Traffic::Count& open) : count(open), ordinal(++open) {}
    ~OpenCount() { --count; }
    Traffic::Count& count;
    std::uint64_t ordinal;
  } const open(traffic_.associations_open);
  if (open.ordinal > options_.associations_max) {
    ++traffic_.rejected;
    core::log_warn("dicom", cat("association refused: ", peer->address(),
                                " came while dicom.max_associations (", options_.associations_max,
                                ") were open"));
    association.value()->reject(Rejection::limit_exceeded);
    return;
  }
  Session(options_, door_, clock_, traffic_, admission_, query_trail_, *association.value()).run();
}

core::Json Server::report() const {
  const auto count = [](const Traffic::Count& value) { return core::Json(value.load()); };
  const std::int64_t last_seen = traffic_.last_seen;
  const std::lock_guard lock(state_mutex_);
  return core::Json::object(
      {{"name", "dicom"},
       {"state", running_           ? "running"
                 : problem_.empty() ? "stopped"
                                    : "failed"},
       {"reason", problem_},
       {"last_seen", last_seen == 0 ? core::Json()
                                    : core::Json(core::to_instant(
                                          core::Wall(std::chrono::milliseconds(last_seen))))},
       {"counts", core::Json::object({{"associations", count(traffic_.associations)},
                                      {"associations_open", count(traffic_.associations_open)},
                                      {"rejected", count(traffic_.rejected)},
                                      {"strangers", count(traffic_.strangers)},
                                      {"echoes", count(traffic_.echoes)},
                                      {"stored", count(traffic_.stored)},
                                      {"repeated", count(traffic_.repeated)},
                                      {"other_copies", count(traffic_.other_copies)},
                                      {"refused", count(traffic_.refused)},
                                      {"queries", count(traffic_.queries)},
                                      {"retrieved", count(traffic_.retrieved)},
                                      {"steps", count(traffic_.steps)},
                                      {"commitments_asked", count(traffic_.commitments_asked)},
                                      {"commitments_told", count(traffic_.commitments_told)},
                                      {"bytes", count(traffic_.bytes)}})}});
}

}  // namespace

std::unique_ptr<DicomServer> DicomServer::create(DicomOptions options,
                                                 const sync::HoldingsDoor& door,
                                                 const core::Clock& clock) {
  return std::make_unique<Server>(std::move(options), door, clock);
}

}  // namespace gateway::adapters::dicom
