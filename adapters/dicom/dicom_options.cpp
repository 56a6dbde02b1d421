#include "adapters/dicom/dicom_options.h"

#include <algorithm>

#include "adapters/dicom/attribute_matching.h"
#include "core/pattern.h"
#include "core/text.h"

namespace gateway::adapters::dicom {

using core::ConfigKey;
using core::KeyType;

std::vector<ConfigKey> dicom_config_keys() {
  return {
      {.path = "dicom.bind",
       .meaning = "address on which modalities reach the gateway",
       .default_text = "\"0.0.0.0\""},
      {.path = "dicom.port",
       .type = KeyType::integer,
       .meaning = "TCP port for modalities",
       .default_text = "11112",
       .minimum = 1,
       .maximum = 65535},
      {.path = "dicom.ae_title",
       .meaning = "AE title modalities must call, 1 to 16 characters",
       .default_text = "\"CLINICGW\""},
      {.path = "dicom.more_ae_titles",
       .type = KeyType::text_list,
       .meaning = "further AE titles it answers to; * and ? stand for any characters or one",
       .default_text = "[]"},
      {.path = "dicom.callers",
       .meaning = "who is served: everybody (any), or the peers below and who was approved with "
                  "clinic-gateway peers, while others are refused and recorded (learn) or only "
                  "refused (listed)",
       .default_text = "\"any\"",
       .choices = {"any", "learn", "listed"}},
      {.path = "dicom.tls_certificate_file",
       .meaning = "PEM chain for DICOM over TLS; with it, only peers with plain = true may call "
                  "without TLS"},
      {.path = "dicom.tls_key_file", .meaning = "private key of dicom.tls_certificate_file, PEM"},
      {.path = "dicom.tls_client_ca_file",
       .meaning = "PEM file of the CA whose certificate a TLS caller must show; without it none is "
                  "asked for"},
      {.path = "dicom.tls_port",
       .type = KeyType::integer,
       .meaning = "TCP port for modalities over TLS",
       .default_text = "2762",
       .minimum = 1,
       .maximum = 65535},
      {.path = "dicom.max_pdu_bytes",
       .type = KeyType::integer,
       .meaning = "longest PDU peers are told they may send",
       .default_text = "131072",
       .minimum = 4096,
       .maximum = 131'072},
      {.path = "dicom.stall_timeout_s",
       .type = KeyType::integer,
       .meaning = "seconds a peer may pause in the middle of a message",
       .default_text = "30",
       .minimum = 5,
       .maximum = 3600},
      {.path = "dicom.max_associations",
       .type = KeyType::integer,
       .meaning = "associations served at the same time",
       .default_text = "16",
       .minimum = 1,
       .maximum = 64},
      {.path = "dicom.idle_timeout_s",
       .type = KeyType::integer,
       .meaning = "seconds after which an association without any message is closed",
       .default_text = "60",
       .minimum = 5,
       .maximum = 86'400},
      {.path = "dicom.commitment",
       .meaning =
           "when a storage commitment is granted: once the PACS was read back and has the same "
           "bytes (second_copy), or once this gateway's own copy was read (stored)",
       .default_text = "\"second_copy\"",
       .choices = {"second_copy", "stored"}},
      {.path = "dicom.peer.*.ae_title",
       .meaning = "AE title of a modality or workstation; * and ? stand for any characters or one",
       .required = true},
      {.path = "dicom.peer.*.addresses",
       .type = KeyType::text_list,
       .meaning = "addresses it may call from, single or as 10.1.0.0/16; none: any",
       .default_text = "[]"},
      {.path = "dicom.peer.*.may",
       .type = KeyType::text_list,
       .meaning = "what it may do: store, query, retrieve",
       .default_text = "[\"store\", \"query\", \"retrieve\"]"},
      {.path = "dicom.peer.*.plain",
       .type = KeyType::boolean,
       .meaning = "it may call without TLS although the gateway has a certificate",
       .default_text = "false"},
      {.path = "dicom.peer.*.character_set",
       .meaning = "DICOM character set of its queries and of the answers to them, where a query "
                  "names none"},
      {.path = "dicom.peer.*.max_associations",
       .type = KeyType::integer,
       .meaning = "associations of it served at the same time",
       .default_text = "16",
       .minimum = 1,
       .maximum = 64},
      {.path = "dicom.peer.*.host",
       .meaning = "address or name it is called at, for storage commitment and C-MOVE; none: the "
                  "one its request came from, and no C-MOVE"},
      {.path = "dicom.peer.*.port",
       .type = KeyType::integer,
       .meaning = "the TCP port it listens on",
       .default_text = "104",
       .minimum = 1,
       .maximum = 65535},
      {.path = "dicom.peer.*.tls",
       .type = KeyType::boolean,
       .meaning = "associations the gateway opens to it are over TLS",
       .default_text = "false"},
      {.path = "dicom.peer.*.ca_file",
       .meaning = "PEM file its certificate is checked against then; without it the system's"},
      {.path = "dicom.peer.*.certificate_file",
       .meaning = "PEM chain of the certificate it is shown then, if it asks for one"},
      {.path = "dicom.peer.*.key_file", .meaning = "private key of certificate_file, PEM"},
      {.path = "dicom.peer.*.users",
       .type = KeyType::text_list,
       .meaning = "names of [dicom.user.NAME], one of whom it must say it is; none: as dicom.users",
       .default_text = "[]"},
      {.path = "dicom.users",
       .type = KeyType::text_list,
       .meaning = "names of [dicom.user.NAME], one of whom a caller must say it is (user identity "
                  "negotiation); none: nobody is asked",
       .default_text = "[]"},
      {.path = "dicom.user.*.username",
       .meaning = "what the device calls its user",
       .required = true},
      {.path = "dicom.user.*.passcode_file",
       .meaning = "file that holds the passcode that has to come with it; without it the user name "
                  "is enough"},
      {.path = "dicom.patient_id_issuer",
       .meaning = "FHIR system of patient ids that arrive by DICOM without an issuer"},
  };
}

namespace {

// PS3.5 6.2, AE: printable characters of the default repertoire except backslash.
bool is_ae_character(char c) { return c >= 0x20 && c < 0x7f && c != '\\'; }

core::Error wrong(const core::Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, core::cat(config.where(key), ": ", key, ": ", what)};
}

core::Result<std::string> checked_title(const core::Config& config, const std::string& key,
                                        const std::string& given) {
  std::string title(core::trim(given));
  if (!title.empty() && title.size() <= 16 &&
      std::all_of(title.begin(), title.end(), is_ae_character))
    return title;
  return wrong(config, key, "an AE title has 1 to 16 ASCII characters and no backslash");
}

core::Result<Rights> rights_of(const core::Config& config, const std::string& key) {
  Rights rights{false, false, false};
  for (const std::string& right : config.texts(key)) {
    if (right == "store") {
      rights.store = true;
    } else if (right == "query") {
      rights.query = true;
    } else if (right == "retrieve") {
      rights.retrieve = true;
    } else {
      return wrong(config, key, core::cat("\"", right, "\" is none of store, query, retrieve"));
    }
  }
  return rights;
}

core::Result<std::vector<std::string>> known_users(const core::Config& config,
                                                   const std::string& key) {
  const std::vector<std::string> known = config.names("dicom.user");
  std::vector<std::string> users = config.texts(key);
  for (const std::string& user : users) {
    if (std::find(known.begin(), known.end(), user) == known.end())
      return wrong(config, key, core::cat("there is no [dicom.user.", user, "]; add it"));
  }
  return users;
}

core::Result<std::optional<PeerTls>> tls_of_peer(const core::Config& config,
                                                 const std::string& peer) {
  const auto key = [&](std::string_view last) { return core::cat(peer, ".", last); };
  const PeerTls files{config.text(key("ca_file")), config.text(key("certificate_file")),
                      config.text(key("key_file"))};
  for (const char* file : {"ca_file", "certificate_file", "key_file"}) {
    if (!config.boolean(key("tls")) && config.has(key(file)))
      return wrong(config, key(file), core::cat("is for TLS; set ", key("tls"), " = true too"));
  }
  if (files.certificate_file.empty() != files.key_file.empty()) {
    const bool has_key = !files.key_file.empty();
    return wrong(
        config, key(has_key ? "key_file" : "certificate_file"),
        core::cat("needs ", key(has_key ? "certificate_file" : "key_file"), "; set it too"));
  }
  return config.boolean(key("tls")) ? std::optional(files) : std::nullopt;
}

core::Result<DicomPeer> peer_of(const core::Config& config, const std::string& name) {
  const auto key = [&](std::string_view last) { return core::cat("dicom.peer.", name, ".", last); };
  DicomPeer peer;
  peer.name = name;
  GW_TRY(peer.ae_title, checked_title(config, key("ae_title"), config.text(key("ae_title"))));
  peer.host = config.text(key("host"));
  peer.port = static_cast<std::uint16_t>(config.integer(key("port")));
  for (const std::string& text : config.texts(key("addresses"))) {
    auto range = AddressRange::parse(text);
    if (!range.ok()) return wrong(config, key("addresses"), range.error().message());
    peer.addresses.push_back(*range);
  }
  GW_TRY(peer.rights, rights_of(config, key("may")));
  peer.is_plain_allowed = config.boolean(key("plain"));
  peer.character_set = config.text(key("character_set"));
  peer.associations_max = static_cast<std::size_t>(config.integer(key("max_associations")));
  GW_TRY(peer.users, known_users(config, key("users")));
  GW_TRY(peer.tls, tls_of_peer(config, core::cat("dicom.peer.", name)));
  return peer;
}

std::vector<DicomUser> users_of(const core::Config& config) {
  std::vector<DicomUser> users;
  for (const std::string& name : config.names("dicom.user")) {
    const std::string user = core::cat("dicom.user.", name);
    users.push_back({name, config.text(core::cat(user, ".username")),
                     config.text(core::cat(user, ".passcode_file"))});
  }
  return users;
}

core::Status read_tls(const core::Config& config, DicomOptions& options) {
  options.tls_port = static_cast<std::uint16_t>(config.integer("dicom.tls_port"));
  options.tls = {config.text("dicom.tls_certificate_file"), config.text("dicom.tls_key_file"),
                 config.text("dicom.tls_client_ca_file")};
  if (!options.has_tls() && !(options.tls.key_file.empty() && options.tls.client_ca_file.empty()))
    return wrong(config, "dicom.tls_key_file", "TLS needs dicom.tls_certificate_file too");
  if (options.has_tls() && options.tls.key_file.empty())
    return wrong(config, "dicom.tls_certificate_file", "it needs dicom.tls_key_file; set it too");
  return {};
}

Strangers strangers_of(const std::string& callers) {
  if (callers == "learn") return Strangers::recorded;
  return callers == "listed" ? Strangers::refused : Strangers::welcome;
}

bool fits(const DicomPeer& peer, std::string_view ae_title, std::string_view address) {
  const bool is_from_there =
      peer.addresses.empty() ||
      std::any_of(peer.addresses.begin(), peer.addresses.end(),
                  [&](const AddressRange& range) { return range.contains(address); });
  return is_from_there && matches(MatchKind::wildcard, peer.ae_title, ae_title);
}

}  // namespace

bool answers_to(const DicomOptions& options, std::string_view called_ae_title) {
  return called_ae_title == options.ae_title ||
         std::any_of(options.more_ae_titles.begin(), options.more_ae_titles.end(),
                     [&](const std::string& other) {
                       return core::matches_pattern(other, called_ae_title);
                     });
}

const DicomPeer* find_peer(const DicomOptions& options, std::string_view ae_title,
                           std::string_view address) {
  const DicomPeer* found = nullptr;
  for (const DicomPeer& peer : options.peers) {
    if (!fits(peer, ae_title, address)) continue;
    if (!has_wildcard(peer.ae_title)) return &peer;
    if (found == nullptr) found = &peer;
  }
  return found;
}

core::Result<DicomOptions> dicom_options(const core::Config& config) {
  DicomOptions options;
  options.bind = config.text("dicom.bind");
  options.port = static_cast<std::uint16_t>(config.integer("dicom.port"));
  options.associations_max = static_cast<std::size_t>(config.integer("dicom.max_associations"));
  options.idle_timeout = core::Milliseconds(config.integer("dicom.idle_timeout_s") * 1000);
  options.stall_timeout = core::Milliseconds(config.integer("dicom.stall_timeout_s") * 1000);
  options.pdu_bytes_max = static_cast<std::uint32_t>(config.integer("dicom.max_pdu_bytes"));
  options.strangers = strangers_of(config.text("dicom.callers"));
  constexpr char kTitle[] = "dicom.ae_title";
  GW_TRY(options.ae_title, checked_title(config, kTitle, config.text(kTitle)));
  for (const std::string& given : config.texts("dicom.more_ae_titles")) {
    GW_TRY(std::string title, checked_title(config, "dicom.more_ae_titles", given));
    options.more_ae_titles.push_back(std::move(title));
  }
  GW_CHECK(read_tls(config, options));
  options.users = users_of(config);
  GW_TRY(options.asked_users, known_users(config, "dicom.users"));
  for (const std::string& name : config.names("dicom.peer")) {
    GW_TRY(DicomPeer peer, peer_of(config, name));
    options.peers.push_back(std::move(peer));
  }
  for (const std::string& name : config.names("uplink")) {
    const auto key = [&](std::string_view last) { return core::cat("uplink.", name, ".", last); };
    if (config.text(key("kind")) == "dicom") options.uplink_peers[name] = config.text(key("peer"));
  }
  return options;
}

}  // namespace gateway::adapters::dicom
