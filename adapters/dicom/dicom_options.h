// What a site may set of the DICOM adapter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/dicom/address_range.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/net/tls_server.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// What a caller may ask for. C-ECHO is everybody's.
struct Rights {
  bool store = true;     // C-STORE, performed steps, storage commitment
  bool query = true;     // worklist and archive
  bool retrieve = true;  // C-GET and C-MOVE
};

/// How a peer is called over TLS (PEM files).
struct PeerTls {
  std::string ca_file;           // what its certificate is checked against; empty: the system's
  std::string certificate_file;  // shown to it; empty: none
  std::string key_file;
};

/// Where a peer is called.
struct Destination {
  std::string host;
  std::uint16_t port = 0;
  std::optional<PeerTls> tls = {};  // nothing: plain TCP
};

/// Who may say that it is they who call (user identity negotiation, PS3.7 D.3.3.7).
struct DicomUser {
  std::string name;  // in the settings
  std::string username;
  std::string passcode_file;  // holds the passcode; empty: the name alone is enough
};

/// A modality or workstation of the clinic.
struct DicomPeer {
  std::string ae_title;   // a pattern: * and ? stand for any characters or one
  std::string host = {};  // where it is called; empty: where its request came from
  std::uint16_t port = 104;
  std::string name = {};                     // in the settings
  std::vector<AddressRange> addresses = {};  // where it may call from; empty: anywhere
  Rights rights = {};
  bool is_plain_allowed = false;   // it may call without TLS where the gateway has TLS
  std::string character_set = {};  // of its queries and their answers, where they name none
  std::size_t associations_max = 16;
  std::vector<std::string> users = {};  // names of users, one of whom it must say it is; empty:
                                        // DicomOptions::asked_users
  std::optional<PeerTls> tls = {};      // how it is called; nothing: plain
};

/// Callers that no peer of the settings describes.
enum class Strangers {
  welcome,   // served
  recorded,  // refused and recorded, until a person approves them
  refused,   // as above, without being recorded
};

struct DicomOptions {
  std::string bind = "0.0.0.0";  // numeric IPv4 or IPv6 address
  std::uint16_t port = 11112;    // 0 (tests only): any free one
  std::string ae_title = "CLINICGW";
  std::vector<std::string> more_ae_titles;  // patterns, also answered to
  Strangers strangers = Strangers::welcome;
  std::uint16_t tls_port = 2762;  // 0 (tests only): any free one
  core::net::TlsServerFiles tls;  // no certificate: no TLS
  bool has_tls() const { return !tls.certificate_file.empty(); }
  std::size_t associations_max = 16;
  core::Milliseconds idle_timeout{60'000};  // an association without any message
  std::vector<DicomPeer> peers;
  /// AE titles, or patterns, of peers that were left out because of a mistake in them: how they
  /// are to be called is not known.
  std::vector<std::string> left_out_titles;
  std::vector<DicomUser> users;
  std::vector<std::string> asked_users;  // of whom every caller must be one; empty: not asked
  std::map<std::string, std::string>
      uplink_peers;                          // by uplink of images by C-STORE, its peer's name
  core::Milliseconds stall_timeout{30'000};  // a peer that stops in the middle of a message or PDU
  std::uint32_t pdu_bytes_max = 131'072;     // what peers are told they may send in one PDU
};

/// Whether the gateway is called so: one of its own AE titles.
bool answers_to(const DicomOptions& options, std::string_view called_ae_title);

/// The first peer, those without wildcards before the others, whose title and addresses fit; null:
/// none.
const DicomPeer* find_peer(const DicomOptions& options, std::string_view ae_title,
                           std::string_view address);

/// All below dicom.; .patient_id_issuer and .commitment are what the daemon hands to sync.
std::vector<core::ConfigKey> dicom_config_keys();

/// Code::invalid names the place and what to write instead.
core::Result<DicomOptions> dicom_options(const core::Config& config);

}  // namespace gateway::adapters::dicom
