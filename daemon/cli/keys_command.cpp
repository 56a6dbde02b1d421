#include "daemon/cli/keys_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/files.h"
#include "core/text.h"
#include "crypto/octets.h"
#include "daemon/cli/sealed_credential.h"
#include "daemon/cli/tables.h"
#include "daemon/cli/terminal.h"
#include "daemon/credential_source.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr int kTriesAtTypingBack = 3;
constexpr std::size_t kPemMax = 4000;
constexpr std::string_view kRecoveryCode = "recovery code";

struct KeysOptions {
  std::string label;
  std::string id;
  std::string kind = "passphrase";
  std::string public_key;
  std::string escrow_key;
  std::string url;
  std::string thumbprint;
  std::string credential;
  Sealing sealing;
};

/// Its letters are wiped when it goes.
class Letters {
 public:
  explicit Letters(std::string text) : text_(std::move(text)) {}
  ~Letters() { ::explicit_bzero(text_.data(), text_.size()); }
  Letters(Letters&& other) noexcept : text_(std::exchange(other.text_, {})) {}
  Letters& operator=(Letters&&) = delete;
  std::string_view text() const { return text_; }

 private:
  std::string text_;
};

core::Result<Letters> read_letters(const std::string& prompt,
                                   std::string_view what = "passphrase") {
  GW_TRY(std::string line, read_secret(prompt, what));
  return Letters(std::move(line));
}

core::Result<Letters> read_key_file(const std::string& path) {
  GW_TRY(std::string text, core::read_whole_file(core::system_files(), path, kPemMax));
  return Letters(std::move(text));
}

/// A slip of the finger must not become the passphrase: a terminal is asked twice.
core::Result<Letters> read_new_passphrase() {
  GW_TRY(Letters passphrase, read_letters("New passphrase for this gateway: "));
  if (!is_interactive()) return passphrase;
  GW_TRY(const Letters again, read_letters("Once more: "));
  if (again.text() == passphrase.text()) return passphrase;
  return Error(Code::invalid, "the two passphrases differ; try again");
}

/// In the form of daemon/ops/keys_api.h: a line of JSON, then the secret.
core::Result<Json> ask_keys(const CommonOptions& common, const char* route, const Json& parameters,
                            std::string_view secret) {
  auto request = post(cat("/v1/keys/", route), cat(parameters.dump(), '\n', secret));
  request.headers = {{"Content-Type", "application/octet-stream"}};
  return ask(common.socket, std::move(request), kLongTimeout);
}

std::string format_unlocked(const Json& answer) {
  return cat("The gateway is ", answer["state"].text(), ".\n");
}

std::string format_slots(const Json& answer) {
  std::vector<std::vector<std::string>> rows{
      {"ID", "KIND", "PROTECTION", "CREATED", "LABEL", "DETAIL", ""}};
  for (const Json& slot : answer["slots"].items()) {
    std::vector<std::string> row;
    for (const char* member : {"id", "kind", "protection", "created", "label", "detail"}) {
      const std::string_view text = slot[member].text();
      row.emplace_back(text.empty() ? "-" : text);
    }
    row.emplace_back(slot["opened"].boolean() ? "opened this run" : "");
    rows.push_back(std::move(row));
  }
  return format_table(rows);
}

std::string format_slot(const Json& answer) {
  return cat("The slot ", answer["slot"]["id"].text(), " (", answer["slot"]["protection"].text(),
             ") opens.\n");
}

std::string format_removed(const Json& answer) {
  return cat("The slot ", answer["removed"].text(), " is gone.\n");
}

int finish(const CommonOptions& common, const core::Result<Json>& answer, Format format) {
  return answer.ok() ? print(common, *answer, format) : complain(common, answer.error());
}

/// Waits for whoever else is just trying, so that a unit started with the daemon need not.
core::Result<Json> unlock_with(const CommonOptions& common, const char* kind,
                               std::string_view secret) {
  const Json parameters = Json::object({{"kind", kind}});
  auto answer = ask_keys(common, "unlock", parameters, secret);
  for (int i = 0; i < 100 && !answer.ok() && answer.error().code() == Code::busy; ++i) {
    ::usleep(100'000);
    answer = ask_keys(common, "unlock", parameters, secret);
  }
  return answer;
}

/// What systemd unsealed for this unit (systemd.exec(5)).
core::Result<Letters> read_credential(const std::string& name) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr) {
    return Error(Code::invalid, "--credential is for a unit of systemd that loads the credential");
  }
  GW_TRY(std::string text, core::read_secret_file(cat(folder, '/', name)));
  return Letters(std::move(text));
}

int unlock(const CommonOptions& common, const std::string& credential) {
  const auto status = ask(common.socket, get("/v1/status"), kTimeout);
  if (!status.ok()) return complain(common, status.error());
  if ((*status)["state"].text() == "ready") {
    return print(common, Json::object({{"state", "ready"}, {"checked", false}}), [](const Json&) {
      return std::string(
          "The gateway is open already; nothing was checked (keys prove checks a passphrase).\n");
    });
  }
  const auto secret = !credential.empty()             ? read_credential(credential)
                      : (*status)["set_up"].boolean() ? read_letters("Passphrase: ")
                                                      : read_new_passphrase();
  if (!secret.ok()) return complain(common, secret.error());
  const bool sealed = credential == daemon::kSlotCredential;
  return finish(common, unlock_with(common, sealed ? "credential" : "passphrase", secret->text()),
                format_unlocked);
}

core::Result<Json> add_with(const CommonOptions& common, Json parameters, const KeysOptions& given,
                            std::string_view secret) {
  parameters.set("label", given.label);
  return ask_keys(common, "add", parameters, secret);
}

int add_passphrase(const CommonOptions& common, const KeysOptions& given) {
  const auto passphrase = read_new_passphrase();
  if (!passphrase.ok()) return complain(common, passphrase.error());
  return finish(common,
                add_with(common, Json::object({{"kind", "passphrase"}}), given, passphrase->text()),
                format_slot);
}

core::Result<Json> prove_with(const CommonOptions& common, std::string_view kind,
                              std::string_view secret) {
  return ask_keys(common, "prove", Json::object({{"kind", kind}}), secret);
}

/// The paper, not the screen: what was copied must open the slot.
core::Status typed_back(const CommonOptions& common) {
  core::Status last = Error(Code::invalid, "the recovery code was not typed back");
  for (int i = 0; i < kTriesAtTypingBack; ++i) {
    auto typed = read_letters("Type it back from the paper: ", kRecoveryCode);
    if (!typed.ok()) return std::move(typed).error();
    const auto proven = prove_with(common, "recovery", typed->text());
    if (proven.ok()) return {};
    std::fprintf(stderr, "clinic-gateway: %s\n", proven.error().message().c_str());
    last = proven.error();
  }
  return last;
}

int print_code(const CommonOptions& common, Json answer, std::string_view code) {
  if (common.json) {
    answer.set("recovery_code", code);
    return print(common, answer, nullptr);
  }
  std::printf(
      "Recovery code, shown this once. Write it down and keep the paper away from the gateway:\n\n"
      "    %.*s\n\n",
      static_cast<int>(code.size()), code.data());
  return std::fflush(stdout) == 0 ? kOk : kFailed;
}

/// The slot goes again when nobody can have the code.
int add_recovery(const CommonOptions& common, const KeysOptions& given) {
  const crypto::Secret code = crypto::write_recovery_code(crypto::RecoveryCode::random());
  const std::string_view text = crypto::as_text(code.bytes());
  const auto added = add_with(common, Json::object({{"kind", "recovery"}}), given, text);
  if (!added.ok()) return complain(common, added.error());
  core::Status kept;
  if (print_code(common, *added, text) != kOk) {
    kept = Error(Code::io, "the recovery code could not be printed");
  } else if (is_interactive() && !common.json) {
    kept = typed_back(common);
  }
  if (kept.ok()) return common.json ? kOk : print(common, *added, format_slot);
  const auto removed =
      ask_keys(common, "remove", Json::object({{"id", (*added)["slot"]["id"].text()}}), "");
  return complain(common, std::move(kept).error().with_context(
                              removed.ok() ? "no slot was made" : "the slot is there, remove it"));
}

int add_credential(const CommonOptions& common, const KeysOptions& given) {
  const auto with = kind_of_seal(given.sealing);
  if (!with.ok()) return complain(common, with.error());
  const crypto::CredentialSecret secret{crypto::Secret::random(crypto::kKeyBytes)};
  if (auto sealed = seal_credential(given.sealing, *with, secret); !sealed.ok()) {
    return complain(common, sealed.error());
  }
  const crypto::Secret text = daemon::write_slot_key(secret);
  const auto added =
      add_with(common, Json::object({{"kind", "credential"}, {"sealed_with", *with}}), given,
               crypto::as_text(text.bytes()));
  if (!added.ok()) {
    drop_credential(given.sealing);
    return complain(common, added.error());
  }
  if (auto settled = settle_credential(given.sealing); !settled.ok()) {
    return complain(common, std::move(settled).error().with_context(
                                "the slot is made but its credential is not kept; remove it"));
  }
  return print(common, *added, format_slot);
}

int add_escrow(const CommonOptions& common, const KeysOptions& given) {
  const auto pem = read_key_file(given.public_key);
  if (!pem.ok()) return complain(common, pem.error());
  return finish(common, add_with(common, Json::object({{"kind", "escrow"}}), given, pem->text()),
                [](const Json& answer) {
                  return cat(
                      "The slot ", answer["slot"]["id"].text(), " is for the key ",
                      answer["slot"]["detail"].text(),
                      ".\nOnly the private key can show that it opens: keys prove escrow.\n");
                });
}

/// The server's signing key, agreed to by a person.
core::Result<std::string> agreed_thumbprint(const CommonOptions& common, const KeysOptions& given) {
  if (!given.thumbprint.empty()) return given.thumbprint;
  GW_TRY(const Json seen, ask_keys(common, "tang", Json::object({{"url", given.url}}), ""));
  const std::string thumbprint(seen["thumbprints"][std::size_t{0}].text());
  if (!is_interactive()) {
    return Error(Code::untrusted,
                 cat("the server signs with ", thumbprint,
                     "; compare with tang-show-keys there and give it with --thumbprint"));
  }
  std::fprintf(stderr,
               "The server signs with %s\nIs that what tang-show-keys prints there? (yes/no) ",
               thumbprint.c_str());
  char answer[8] = {};
  if (std::fgets(answer, sizeof answer, stdin) == nullptr || std::strcmp(answer, "yes\n") != 0) {
    return Error(Code::untrusted, "the server's key was not agreed to; no slot was made");
  }
  return thumbprint;
}

int add_tang(const CommonOptions& common, const KeysOptions& given) {
  const auto thumbprint = agreed_thumbprint(common, given);
  if (!thumbprint.ok()) return complain(common, thumbprint.error());
  return finish(
      common,
      add_with(common,
               Json::object({{"kind", "tang"}, {"url", given.url}, {"thumbprint", *thumbprint}}),
               given, ""),
      format_slot);
}

/// True where the slot is the only one whose secret is sealed in a file of this machine.
bool is_only_credential(const CommonOptions& common, const std::string& id) {
  const auto slots = ask(common.socket, get("/v1/keys"), kTimeout);
  if (!slots.ok()) return false;
  std::vector<std::string_view> credentials;
  for (const Json& slot : (*slots)["slots"].items()) {
    if (slot["kind"].text() == "credential") credentials.push_back(slot["id"].text());
  }
  return credentials.size() == 1 && credentials[0] == id;
}

/// A credential's file goes after its slot, so that the next one finds its place free. The default
/// place may be another credential slot's.
int remove(const CommonOptions& common, const KeysOptions& given, bool file_named) {
  const bool with_file = file_named || is_only_credential(common, given.id);
  const auto removed = ask_keys(common, "remove", Json::object({{"id", given.id}}), "");
  if (removed.ok() && with_file && ::unlink(given.sealing.file.c_str()) != 0 && errno != ENOENT) {
    std::fprintf(stderr, "clinic-gateway: %s stays behind (%s); remove it\n",
                 given.sealing.file.c_str(), std::strerror(errno));
  }
  return finish(common, removed, format_removed);
}

core::Result<Letters> read_opener(const KeysOptions& given, std::string_view kind) {
  if (kind == "escrow") return read_key_file(given.escrow_key);
  if (kind == "recovery") return read_letters("Recovery code: ", kRecoveryCode);
  return read_letters("Passphrase: ");
}

int prove(const CommonOptions& common, const KeysOptions& given) {
  const auto opener = read_opener(given, given.kind);
  if (!opener.ok()) return complain(common, opener.error());
  return finish(common, prove_with(common, given.kind, opener->text()), format_slot);
}

/// Whoever needs a recovery has lost the everyday way in: a new one is made in the same breath.
int recover(const CommonOptions& common, const KeysOptions& given) {
  const char* kind = given.escrow_key.empty() ? "recovery" : "escrow";
  const auto opener = read_opener(given, kind);
  if (!opener.ok()) return complain(common, opener.error());
  const auto unlocked = unlock_with(common, kind, opener->text());
  if (!unlocked.ok()) return complain(common, unlocked.error());
  // An open gateway asks nothing of whoever unlocks it.
  const auto proven = prove_with(common, kind, opener->text());
  if (!proven.ok()) return complain(common, proven.error());
  std::fputs("The gateway is unlocked. Give it a new passphrase.\n", stderr);
  KeysOptions slot = given;
  if (slot.label.empty()) slot.label = cat("made at a recovery by ", kind);
  return add_passphrase(common, slot);
}

/// Registers commands of one parent.
class Group {
 public:
  Group(CLI::App& parent, std::function<int()>& action) : parent_(parent), action_(action) {}
  CLI::App& command(const char* name, const char* what, std::function<int()> act) {
    CLI::App* sub = parent_.add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([&action = action_, act = std::move(act)] { action = act; });
    return *sub;
  }

 private:
  CLI::App& parent_;
  std::function<int()>& action_;
};

void add_kinds(CLI::App& add, const CommonOptions& common, KeysOptions& given,
               std::function<int()>& action) {
  Group kinds(add, action);
  const auto labelled = [&](CLI::App& sub) -> CLI::App& {
    sub.add_option("--label", given.label, "a word for people");
    return sub;
  };
  labelled(kinds.command("passphrase", "a passphrase from the terminal or standard input",
                         [&] { return add_passphrase(common, given); }));
  labelled(kinds.command("recovery", "a recovery code, shown once",
                         [&] { return add_recovery(common, given); }));
  CLI::App& credential = labelled(
      kinds.command("credential", "a secret sealed to this machine by systemd-creds; as root",
                    [&] { return add_credential(common, given); }));
  credential
      .add_option("--seal", given.sealing.with, "tpm2, host, or auto: tpm2 where there is one")
      ->check(CLI::IsMember({"auto", "tpm2", "host"}))
      ->capture_default_str();
  credential
      .add_option("--pcr", given.sealing.pcrs,
                  "7: another boot chain keeps it LOCKED; 23: tied to the chip alone")
      ->check(CLI::IsMember({"7", "23"}))
      ->capture_default_str();
  credential.add_option("--tpm2-device", given.sealing.device,
                        "the TPM, as systemd-creds takes it");
  credential.add_option("--file", given.sealing.file, "the sealed credential")
      ->capture_default_str();
  labelled(kinds.command("escrow", "central's public key, so that central can recover this gateway",
                         [&] { return add_escrow(common, given); }))
      .add_option("--public-key", given.public_key, "X25519 public key in PEM")
      ->required();
  CLI::App& tang = labelled(
      kinds.command("tang", "a Tang server of this network: away from it the gateway stays LOCKED",
                    [&] { return add_tang(common, given); }));
  tang.add_option("--url", given.url, "http://HOST[:PORT]")->required();
  tang.add_option("--thumbprint", given.thumbprint, "what tang-show-keys prints at the server");
}

}  // namespace

int unlock_gateway(const CommonOptions& common) { return unlock(common, ""); }
int add_recovery_code(const CommonOptions& common) { return add_recovery(common, {}); }

void add_keys_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action) {
  // The commands' own options live as long as the commands do.
  auto given = std::make_shared<KeysOptions>();
  KeysOptions& options = *given;
  Group top(app, action);
  top.command("unlock", "open the keys with a passphrase from the terminal or standard input",
              [&common, given] { return unlock(common, ""); });
  CLI::App* keys = app.add_subcommand("keys", "the key slots: who and what can open this gateway");
  keys->fallthrough();
  keys->require_subcommand(1);
  Group group(*keys, action);
  group.command("list", "every slot, also while LOCKED",
                [&common] { return show(common, "/v1/keys", format_slots); });
  CLI::App* add = keys->add_subcommand("add", "make a slot");
  add->fallthrough();
  add->require_subcommand(1);
  add_kinds(*add, common, options, action);
  CLI::App& remove_command =
      group.command("remove", "take a slot away; never the last one that opens by itself",
                    [&common, &options, keys] {
                      const auto& file = *keys->get_subcommand("remove")->get_option("--file");
                      return remove(common, options, file.count() > 0);
                    });
  remove_command.add_option("id", options.id, "the slot's id in keys list")->required();
  remove_command
      .add_option(
          "--file", options.sealing.file,
          "a credential slot's sealed credential, removed too; needs to be named where there "
          "are several such slots")
      ->capture_default_str();
  CLI::App& prove_command =
      group.command("prove", "say which slot a secret opens, without changing anything",
                    [&common, &options] { return prove(common, options); });
  prove_command.add_option("kind", options.kind, "passphrase, recovery or escrow")
      ->check(CLI::IsMember({"passphrase", "recovery", "escrow"}))
      ->capture_default_str();
  prove_command.add_option("--escrow-key", options.escrow_key, "X25519 private key in PEM");
  group
      .command("unlock", "open the keys with a passphrase from the terminal or standard input",
               [&common, &options] { return unlock(common, options.credential); })
      .add_option("--credential", options.credential,
                  "what systemd unsealed, by its name, instead; in a unit only")
      ->check(CLI::IsMember({daemon::kSlotCredential, "passphrase"}));
  CLI::App& recover_command = group.command(
      "recover", "unlock with the recovery code or central's escrow key, then set a new passphrase",
      [&common, &options] { return recover(common, options); });
  recover_command.add_option("--escrow-key", options.escrow_key, "X25519 private key in PEM");
  recover_command.add_option("--label", options.label, "a word for the new passphrase slot");
}

}  // namespace gateway::cli
