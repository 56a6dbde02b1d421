#include "adapters/dicom/dicom_server.h"

#include <dcmtk/config/osconfig.h>

#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "adapters/dicom/admission.h"
#include "adapters/dicom/association.h"
#include "adapters/dicom/commitment_reporter.h"
#include "adapters/dicom/listener.h"
#include "adapters/dicom/query_trail.h"
#include "adapters/dicom/session.h"
#include "adapters/dicom/traffic.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;

// Connections beyond the limit get as far as a polite rejection, a few at a time.
constexpr std::size_t kRejectionsMax = 8;

// Of one address, without an A-ASSOCIATE-RQ: more give way when all places are taken.
constexpr std::size_t kSilentMax = 8;

constexpr std::size_t kTlsDoor = 1;  // of the listener's ports

constexpr core::Milliseconds kTurn{1'000};  // the watchdog sees the accepting thread this often

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
  bool leave() override;
  core::Json report() const override;
  std::uint16_t port() const override { return port_; }
  std::uint16_t tls_port() const override { return tls_port_; }
  std::optional<std::uint64_t> turns() const override;

 private:
  struct Connection {
    std::shared_ptr<PeerSocket> peer;
    bool wants_tls = false;
    bool gave_way = false;               // the accepting thread's
    std::atomic<bool> has_asked{false};  // for an association
    std::atomic<bool> ended{false};
    bool is_silent() const { return !has_asked && !ended && !gave_way; }
    std::thread thread;
  };

  core::Status open();
  void end_accepting();
  void accept_connections();
  void take(Listener::Accepted accepted);
  bool make_place();
  void join_ended();
  void serve(Connection& connection);
  bool is_secured(PeerSocket& peer);
  void serve_association(Connection& connection);

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
  bool says_silent_ = false;           // the same
  std::list<Connection> connections_;  // the accepting thread's, and stop()'s once it is joined
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

void Server::end_accepting() {
  reporter_.reset();
  if (accepting_.joinable()) {
    listener_->wake();
    accepting_.join();
  }
  listener_.reset();
  const std::lock_guard lock(state_mutex_);
  running_ = false;
  problem_.clear();
}

void Server::stop() {
  end_accepting();
  for (Connection& connection : connections_) connection.peer->shut();
  for (Connection& connection : connections_) connection.thread.join();
  connections_.clear();
  acceptor_.reset();
}

bool Server::leave() {
  end_accepting();
  join_ended();
  return connections_.empty();
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
  const bool is_full = connections_.size() >= options_.associations_max + kRejectionsMax;
  if (is_full && !make_place()) {
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
  if (!is_full) says_silent_ = false;
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

/// The oldest of an address that holds too many places without asking for anything ends. A burst of
/// honest callers is not touched while there is room.
bool Server::make_place() {
  std::map<std::string, std::size_t> silent;
  for (const Connection& connection : connections_)
    if (connection.is_silent()) ++silent[connection.peer->address()];
  for (Connection& connection : connections_) {
    const std::string& address = connection.peer->address();
    if (!connection.is_silent() || silent[address] <= kSilentMax) continue;
    ++traffic_.rejected;
    if (!std::exchange(says_silent_, true)) {
      core::log_warn("dicom", cat("hung up on ", address, ": it holds ", silent[address],
                                  " connections without asking for an association, and others "
                                  "find no place"));
    }
    connection.gave_way = true;
    connection.peer->shut();
    return true;
  }
  return false;
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
    if (!connection.wants_tls || is_secured(*connection.peer)) serve_association(connection);
  } catch (const std::exception& error) {
    core::log_error("dicom", cat("association of ", connection.peer->address(),
                                 " ended by an internal fault: ", error.what()));
  }
  connection.peer->close();
  connection.ended = true;
}

bool Server::is_secured(PeerSocket& peer) {
  std::string why;
  if (peer.secure(tls_->take(peer.handle()), why)) return true;
  ++traffic_.rejected;
  core::log_warn("dicom", cat("no TLS with ", peer.address(), ": ", why));
  return false;
}

void Server::serve_association(Connection& connection) {
  const std::shared_ptr<PeerSocket>& peer = connection.peer;
  switch (peer->await_associate_request()) {
    case PeerSocket::Begin::gone:
      return;
    case PeerSocket::Begin::not_dicom:
      ++traffic_.rejected;
      core::log_warn("dicom", cat(peer->address(), " does not speak DICOM; hung up"));
      return;
    case PeerSocket::Begin::associate_request:
      connection.has_asked = true;
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
  serve_session({options_, door_, clock_, traffic_, admission_, query_trail_},
                *association.value());
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
       {"out_of_space", traffic_.is_out_of_space.load()},
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
