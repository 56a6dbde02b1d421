#include "crypto/keyring.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "core/text.h"
#include "crypto/epoch_files.h"
#include "crypto/key_slots.h"
#include "crypto/octets.h"
#include "crypto/secret_file.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kKeyringTextMax = 1U << 20;
constexpr std::size_t kBoxBytes = 16;

std::string keyring_path(const std::string& folder) { return core::cat(folder, "/keyring.json"); }

std::string parent_of(const std::string& folder) {
  auto slash = folder.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : folder.substr(0, slash);
}

struct Roots {
  Secret newest;
  std::optional<Secret> previous;
  RootRecord record;
};

struct OpenedSlot {
  Secret root;
  SlotInfo info;
};

core::Result<OpenedSlot> open_any_slot(const std::vector<KeySlot>& slots, const SlotOpener& opener,
                                       const std::string& path) {
  const std::string kind = kind_of(opener);
  for (const KeySlot& slot : slots) {
    if (slot.info.kind != kind) continue;
    auto root = open_slot(slot, opener);
    if (root.ok()) return OpenedSlot{std::move(*root), slot.info};
    if (root.error().code() != core::Code::locked) return std::move(root).error();
  }
  return core::Error(core::Code::locked,
                     core::cat("the ", kind, " opens none of the ", slots.size(), " key slots of ",
                               path, "; check the ", kind, " the service was given"));
}

/// What the file holds now.
core::Result<KeyringText> read_file(core::Files& files, const std::string& folder) {
  const std::string path = keyring_path(folder);
  GW_TRY(const bool there, files.exists(path));
  if (!there) {
    return core::Error(core::Code::not_found,
                       core::cat("there is no keyring at ", path, "; set the gateway up first"));
  }
  GW_TRY(const std::string text, core::read_whole_file(files, path, kKeyringTextMax));
  auto read = read_keyring_text(text);
  if (!read.ok()) return std::move(read).error().with_context(path);
  return read;
}

class SlottedKeyring final : public Keyring {
 public:
  SlottedKeyring(core::Files& files, std::string folder, Roots roots, SlotInfo opened_by,
                 std::vector<KeySlot> slots, EpochFiles epochs, const core::Clock& clock)
      : files_(files),
        folder_(std::move(folder)),
        roots_(std::move(roots)),
        opened_by_(std::move(opened_by)),
        slots_(std::move(slots)),
        proven_{opened_by_.id},
        clock_(clock),
        epochs_(std::move(epochs)) {}

  std::vector<SlotInfo> slots() const override {
    std::lock_guard lock(slots_mutex_);
    std::vector<SlotInfo> infos;
    for (const KeySlot& slot : slots_) infos.push_back(slot.info);
    return infos;
  }
  SlotInfo opened_by() const override { return opened_by_; }
  std::string protection() const override { return protection_of(opened_by_); }

  core::Result<SlotInfo> add_slot(const NewSlot& wanted) override {
    PassphraseCost cost;
    if (const auto* passphrase = std::get_if<Passphrase>(&wanted.means)) {
      if (passphrase->text.empty()) {
        return core::Error(core::Code::invalid, "the passphrase is empty; give one");
      }
      GW_TRY(cost, measure_passphrase_cost(clock_));
    }
    const Secret root = newest_root();
    GW_TRY(KeySlot slot, make_slot(root, wanted, cost, core::to_instant(clock_.wall())));
    const SlotInfo info = slot.info;
    std::lock_guard lock(change_mutex_);
    std::vector<KeySlot> wished = stored();
    wished.push_back(std::move(slot));
    // The root may have changed while the slot was made.
    if (!same_secret(root, newest_root())) {
      GW_TRY(wished, reseal_slots(std::move(wished), newest_root()));
    }
    GW_CHECK(replace(std::move(wished)));
    // Whether anybody has read a recovery code shows when it comes back; the escrow key is
    // elsewhere.
    if (info.kind != "escrow" && info.kind != "recovery") mark_proven(info.id);
    return info;
  }

  core::Status remove_slot(const std::string& id) override {
    std::lock_guard lock(change_mutex_);
    std::vector<KeySlot> wished = stored();
    const auto removed =
        std::erase_if(wished, [&](const KeySlot& slot) { return slot.info.id == id; });
    if (removed == 0) {
      return core::Error(core::Code::not_found,
                         core::cat("there is no key slot ", id, "; look at keys list"));
    }
    if (!opens_by_itself(wished)) {
      return core::Error(core::Code::invalid,
                         "this is the last key slot that is known to open by itself; add a "
                         "passphrase first, or prove a slot that is there (keys prove recovery)");
    }
    return replace(std::move(wished));
  }

  core::Result<SlotInfo> prove(const SlotOpener& opener) override {
    GW_TRY(OpenedSlot opened, open_any_slot(stored(), opener, keyring_path(folder_)));
    mark_proven(opened.info.id);
    return opened.info;
  }

  core::Result<Secret> derived_key(std::string_view purpose) const override {
    std::lock_guard lock(roots_mutex_);
    return derive_key(roots_.newest, purpose);
  }

  core::Result<Secret> derived_key_of(std::uint32_t root, std::string_view purpose) const override {
    std::lock_guard lock(roots_mutex_);
    const std::uint32_t newest = roots_.record.number;
    if (root == newest) return derive_key(roots_.newest, purpose);
    if (root + 1 == newest && roots_.previous) return derive_key(*roots_.previous, purpose);
    return core::Error(
        core::Code::refused,
        root < newest ? core::cat("this was sealed under root key ", root,
                                  ", which is gone since root key ", newest, " took its place")
                      : core::cat("this is sealed under root key ", root, ", but ",
                                  keyring_path(folder_), " is an older copy that holds root key ",
                                  newest, ": put the newest copy back"));
  }

  RootState root() const override {
    std::lock_guard lock(roots_mutex_);
    return {roots_.record.number, roots_.previous.has_value()};
  }

  core::Result<std::string> box() const override {
    std::lock_guard lock(roots_mutex_);
    return box_locked();
  }

  core::Status begin_root(const std::set<std::uint32_t>& given_up) override {
    std::lock_guard lock(change_mutex_);
    {
      std::lock_guard epochs(mutex_);
      GW_CHECK(epochs_.give_up(given_up));
    }
    if (root().is_moving) return {};
    Secret fresh = Secret::random(kKeyBytes);
    GW_TRY(Secret wrapping, derive_key(fresh, "epoch-wrap"));
    GW_TRY(const Roots next, roots_after(std::move(fresh)));
    GW_TRY(auto slots, reseal_slots(stored(), next.newest));
    GW_CHECK(store(std::move(slots), next.newest, next.record));
    // An epoch key made since is wrapped under the root before, which end_root() looks for.
    std::scoped_lock both(roots_mutex_, mutex_);
    roots_ = {next.newest.clone(), next.previous->clone(), next.record};
    epochs_.change_wrapping(std::move(wrapping));
    return {};
  }

  core::Status end_root() override {
    std::lock_guard lock(change_mutex_);
    if (!root().is_moving) return {};
    {
      std::lock_guard epochs(mutex_);
      GW_CHECK(epochs_.wrap_all_again());
    }
    RootRecord record = stored_record();
    record.previous.clear();
    GW_CHECK(store(stored(), newest_root(), record));
    std::scoped_lock both(roots_mutex_, mutex_);
    roots_.previous.reset();
    roots_.record = record;
    epochs_.forget_previous_wrapping();
    return {};
  }

  core::Result<std::uint32_t> current_epoch() override {
    std::lock_guard lock(mutex_);
    return epochs_.current(clock_.wall());
  }

  core::Result<Secret> epoch_key(std::uint32_t epoch) const override {
    std::lock_guard lock(mutex_);
    return epochs_.key(epoch);
  }

  core::Result<std::vector<std::uint32_t>> epochs() const override {
    std::lock_guard lock(mutex_);
    return epochs_.list();
  }

  core::Status remember_epochs() override {
    std::lock_guard lock(mutex_);
    return epochs_.remember();
  }

  std::vector<std::uint32_t> lost_epochs() const override {
    std::lock_guard lock(mutex_);
    return epochs_.lost();
  }

  core::Result<std::uint32_t> begin_epoch() override {
    std::lock_guard lock(mutex_);
    GW_CHECK(epochs_.make(std::max(epoch_of(clock_.wall()), epoch_after(epochs_.newest()))));
    return epochs_.newest();
  }

  core::Status retire_epoch(std::uint32_t epoch) override {
    std::lock_guard lock(mutex_);
    return epochs_.destroy(epoch);
  }

 private:
  std::vector<KeySlot> stored() const {
    std::lock_guard lock(slots_mutex_);
    return slots_;
  }
  void mark_proven(const std::string& id) {
    std::lock_guard lock(slots_mutex_);
    proven_.insert(id);
  }

  /// A person chose a passphrase and has it; whether a code was kept, or a machine's slot still
  /// opens, shows only when it does.
  bool opens_by_itself(const std::vector<KeySlot>& slots) const {
    std::lock_guard lock(slots_mutex_);
    for (const KeySlot& slot : slots) {
      const std::string& kind = slot.info.kind;
      if (kind == "passphrase") return true;
      if (kind != "escrow" && proven_.contains(slot.info.id)) return true;
    }
    return false;
  }

  Secret newest_root() const {
    std::lock_guard lock(roots_mutex_);
    return roots_.newest.clone();
  }
  RootRecord stored_record() const {
    std::lock_guard lock(roots_mutex_);
    return roots_.record;
  }
  /// Holding roots_mutex_.
  core::Result<std::string> box_locked() const {
    if (!roots_.record.box.empty()) return roots_.record.box;
    GW_TRY(const Secret id, derive_key(roots_.newest, "backup-box"));
    return core::to_hex(as_text(id.bytes().first(kBoxBytes)));
  }
  core::Result<Roots> roots_after(Secret fresh) const {
    std::lock_guard lock(roots_mutex_);
    Roots next{std::move(fresh), roots_.newest.clone(), {roots_.record.number + 1, "", ""}};
    GW_TRY(next.record.box, box_locked());
    GW_TRY(next.record.previous,
           wrap_previous_root(next.newest, next.record.number, roots_.newest));
    return next;
  }

  core::Status replace(std::vector<KeySlot> slots) {
    return store(std::move(slots), newest_root(), stored_record());
  }

  /// The file first, read back; memory follows it.
  core::Status store(std::vector<KeySlot> slots, const Secret& root, const RootRecord& record) {
    GW_TRY(const std::string text, write_keyring_text(slots, root, record));
    // A text that cannot be read again must not take the place of one that can.
    GW_TRY(const KeyringText prepared, read_keyring_text(text));
    GW_CHECK(check_keyring_mac(prepared, root));
    GW_CHECK(replace_secret_file(files_, keyring_path(folder_), text));
    GW_TRY(const KeyringText written, read_file(files_, folder_));
    GW_CHECK(check_keyring_mac(written, root));
    std::lock_guard lock(slots_mutex_);
    slots_ = written.slots;
    return {};
  }

  core::Files& files_;
  const std::string folder_;
  mutable std::mutex roots_mutex_;
  Roots roots_;
  const SlotInfo opened_by_;
  std::mutex change_mutex_;  // one change of the file at a time
  mutable std::mutex slots_mutex_;
  std::vector<KeySlot> slots_;
  std::set<std::string> proven_;  // ids of slots that opened in this run
  const core::Clock& clock_;
  mutable std::mutex mutex_;
  mutable EpochFiles epochs_;
};

core::Status make_folders(core::Files& files, const std::string& folder) {
  GW_CHECK(files.make_folder(folder));
  GW_CHECK(files.make_folder(EpochFiles::folder_in(folder)));
  GW_CHECK(files.sync_folder(folder));
  return files.sync_folder(parent_of(folder));
}

}  // namespace

core::Result<bool> Keyring::exists(core::Files& files, const std::string& folder) {
  return files.exists(keyring_path(folder));
}

core::Result<std::unique_ptr<Keyring>> Keyring::create(core::Files& files,
                                                       const std::string& folder,
                                                       const Passphrase& passphrase,
                                                       const core::Clock& clock) {
  GW_TRY(bool there, exists(files, folder));
  if (there) {
    return core::Error(core::Code::exists,
                       core::cat(keyring_path(folder), " exists already and is left as it is"));
  }
  if (passphrase.text.empty()) {
    return core::Error(core::Code::invalid, "the passphrase is empty; give one");
  }
  GW_CHECK(make_folders(files, folder));
  GW_TRY(PassphraseCost cost, measure_passphrase_cost(clock));
  Secret root = Secret::random(kKeyBytes);
  std::vector<KeySlot> slots(1);
  GW_TRY(slots[0], make_slot(root, {Passphrase{passphrase.text.clone()}, ""}, cost,
                             core::to_instant(clock.wall())));
  GW_TRY(const std::string text, write_keyring_text(slots, root));
  GW_CHECK(core::write_file_durably(files, keyring_path(folder), text));
  return open(files, folder, passphrase, clock);
}

core::Result<std::unique_ptr<Keyring>> Keyring::open(core::Files& files, const std::string& folder,
                                                     const Passphrase& passphrase,
                                                     const core::Clock& clock) {
  return open(files, folder, SlotOpener(Passphrase{passphrase.text.clone()}), clock);
}

core::Result<std::unique_ptr<Keyring>> Keyring::open(core::Files& files, const std::string& folder,
                                                     const SlotOpener& opener,
                                                     const core::Clock& clock) {
  GW_TRY(KeyringText text, read_file(files, folder));
  const std::string path = keyring_path(folder);
  GW_TRY(OpenedSlot opened, open_any_slot(text.slots, opener, path));
  if (auto status = check_keyring_mac(text, opened.root); !status.ok()) {
    return std::move(status).error().with_context(path);
  }
  GW_TRY(Secret wrapping, derive_key(opened.root, "epoch-wrap"));
  GW_TRY(EpochFiles epochs, EpochFiles::open(files, folder, std::move(wrapping)));
  Roots roots{std::move(opened.root), std::nullopt, text.record};
  if (!text.record.previous.empty()) {
    GW_TRY(Secret previous, unwrap_previous_root(roots.newest, text.record));
    GW_TRY(Secret previous_wrapping, derive_key(previous, "epoch-wrap"));
    epochs.remember_wrapping(std::move(previous_wrapping));
    roots.previous = std::move(previous);
  }
  return std::unique_ptr<Keyring>(
      std::make_unique<SlottedKeyring>(files, folder, std::move(roots), std::move(opened.info),
                                       std::move(text.slots), std::move(epochs), clock));
}

core::Result<std::vector<KeySlot>> Keyring::stored_slots(core::Files& files,
                                                         const std::string& folder) {
  GW_TRY(KeyringText text, read_file(files, folder));
  return std::move(text.slots);
}

core::Result<std::uint32_t> Keyring::stored_root(core::Files& files, const std::string& folder) {
  GW_TRY(const KeyringText text, read_file(files, folder));
  return text.record.number;
}

}  // namespace gateway::crypto
