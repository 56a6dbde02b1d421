#include "crypto/keyring.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/text.h"
#include "crypto/epoch_files.h"
#include "crypto/key_slots.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kKeyringTextMax = 1U << 20;

std::string keyring_path(const std::string& folder) { return core::cat(folder, "/keyring.json"); }

std::string parent_of(const std::string& folder) {
  auto slash = folder.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : folder.substr(0, slash);
}

class SlottedKeyring final : public Keyring {
 public:
  SlottedKeyring(Secret root, std::vector<SlotInfo> slots, EpochFiles epochs,
                 const core::Clock& clock)
      : root_(std::move(root)),
        slots_(std::move(slots)),
        clock_(clock),
        epochs_(std::move(epochs)) {}

  std::vector<SlotInfo> slots() const override { return slots_; }
  std::string protection() const override { return "passphrase"; }

  core::Result<Secret> derived_key(std::string_view purpose) const override {
    return derive_key(root_, purpose);
  }

  core::Result<std::uint32_t> current_epoch() override {
    std::lock_guard lock(mutex_);
    std::uint32_t now = epoch_of(clock_.wall());
    // A clock that runs behind (no RTC) must not bring an old epoch back to life: it may be retired
    // already.
    if (now > epochs_.newest()) GW_CHECK(epochs_.make(now));
    return epochs_.newest();
  }

  core::Result<Secret> epoch_key(std::uint32_t epoch) const override {
    std::lock_guard lock(mutex_);
    return epochs_.key(epoch);
  }

  core::Result<std::vector<std::uint32_t>> epochs() const override {
    std::lock_guard lock(mutex_);
    return epochs_.list();
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
  Secret root_;
  std::vector<SlotInfo> slots_;
  const core::Clock& clock_;
  mutable std::mutex mutex_;
  mutable EpochFiles epochs_;
};

core::Result<Secret> open_any_slot(const std::vector<KeySlot>& slots, const Passphrase& passphrase,
                                   const std::string& path) {
  for (const KeySlot& slot : slots) {
    auto root = open_passphrase_slot(slot, passphrase);
    if (root.ok() || root.error().code() != core::Code::locked) return root;
  }
  return core::Error(core::Code::locked,
                     core::cat("the passphrase opens none of the ", slots.size(), " key slots of ",
                               path, "; check the passphrase the service was given"));
}

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
  GW_TRY(KeySlot slot,
         seal_passphrase_slot(root, passphrase, cost, core::to_instant(clock.wall())));
  std::vector<KeySlot> slots;
  slots.push_back(std::move(slot));
  GW_CHECK(core::write_file_durably(files, keyring_path(folder), write_keyring_text(slots)));
  return open(files, folder, passphrase, clock);
}

core::Result<std::unique_ptr<Keyring>> Keyring::open(core::Files& files, const std::string& folder,
                                                     const Passphrase& passphrase,
                                                     const core::Clock& clock) {
  std::string path = keyring_path(folder);
  GW_TRY(bool there, exists(files, folder));
  if (!there) {
    return core::Error(core::Code::not_found,
                       core::cat("there is no keyring at ", path, "; set the gateway up first"));
  }
  GW_TRY(std::string text, core::read_whole_file(files, path, kKeyringTextMax));
  auto slots = read_keyring_text(text);
  if (!slots.ok()) return std::move(slots).error().with_context(path);
  GW_TRY(Secret root, open_any_slot(*slots, passphrase, path));
  GW_TRY(Secret wrapping, derive_key(root, "epoch-wrap"));
  GW_TRY(EpochFiles epochs, EpochFiles::open(files, folder, std::move(wrapping)));
  std::vector<SlotInfo> infos;
  for (KeySlot& slot : *slots) infos.push_back(std::move(slot.info));
  return std::unique_ptr<Keyring>(std::make_unique<SlottedKeyring>(
      std::move(root), std::move(infos), std::move(epochs), clock));
}

}  // namespace gateway::crypto
