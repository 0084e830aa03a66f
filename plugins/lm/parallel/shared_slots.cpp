#include "plugins/lm/parallel/shared_slots.h"

#include "engine/base/descriptor.h"
#include "engine/base/random.h"
#include "engine/base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace stillroom::lm {
namespace {

using Clock = std::chrono::steady_clock;
using Word = std::atomic<std::uint32_t>;
static_assert(Word::is_always_lock_free);

// Ranks of a layer come together some hundred times a second, mostly within microseconds of each
// other; to fall asleep and be woken takes tens of them.
constexpr int kSpins = 2000;
constexpr std::chrono::microseconds kYields{500};  // to whoever else would run
constexpr std::chrono::milliseconds kNap{100};     // between looks at whether a rank is there

constexpr std::size_t kPage = 4096, kToken = 32;
constexpr std::size_t kAll = kPage + 2 * SharedSlots::kBytes;

/// What a rank's memory begins with.
struct Head {
    std::array<char, kToken> token;  ///< whose it is
    Word said;                       ///< rounds
    Word sleepers;                   ///< who wait for the next
};
static_assert(sizeof(Head) <= kPage);

void sleep_on(Word& word, std::uint32_t seen) {
    timespec most{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(kNap).count()};
    syscall(SYS_futex, &word, FUTEX_WAIT, seen, &most, nullptr, 0);
}

void wake_all(Word& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void rest() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/// The same text for processes that know each other by the same numbers: those of a host, or of a
/// container. Empty: nobody can tell.
std::string neighbourhood() {
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    std::array<char, 64> space{};
    ssize_t size = readlink("/proc/self/ns/pid", space.data(), space.size());
    if (boot.empty() || size <= 0)
        return {};
    return boot + "/" + std::string(space.data(), static_cast<std::size_t>(size));
}

/// Of the file as it was opened: gone when that is closed, however it comes to be.
flock lock_of_file() {
    flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

/// Locked as long as its owner has it, and never cut short under those who read it.
Descriptor make_file() {
    Descriptor file(memfd_create("stillroom ranks", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    flock lock = lock_of_file();
    bool made = file.is_open() && ftruncate(file.get(), static_cast<off_t>(kAll)) == 0 &&
                fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 &&
                fcntl(file.get(), F_OFD_SETLK, &lock) == 0;
    return made ? std::move(file) : Descriptor();
}

Descriptor open_file(const std::string& process, const std::string& number) {
    std::string path = fmt::format("/proc/{}/fd/{}", process, number);
    Descriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat found {};
    bool right = file.is_open() && fstat(file.get(), &found) == 0 && S_ISREG(found.st_mode) &&
                 found.st_size == static_cast<off_t>(kAll);
    return right ? std::move(file) : Descriptor();
}

}  // namespace

/// A rank's, as it is seen from here; not reached where the file could not be had.
class SharedSlots::Memory {
public:
    explicit Memory(Descriptor file) : file_(std::move(file)) {
        if (!file_.is_open())
            return;
        void* found = mmap(nullptr, kAll, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
        if (found != MAP_FAILED)
            begin_ = static_cast<std::byte*>(found);
    }
    Memory(Memory&& other) noexcept
        : file_(std::move(other.file_)),
          begin_(std::exchange(other.begin_, nullptr)) {}
    Memory& operator=(Memory&& other) = delete;
    ~Memory() {
        if (begin_ != nullptr)
            munmap(begin_, kAll);
    }

    bool is_reached() const { return begin_ != nullptr; }
    int file() const { return file_.get(); }
    Head& head() const { return *reinterpret_cast<Head*>(begin_); }
    std::byte* slot(std::uint32_t round) const { return begin_ + kPage + round % 2 * kBytes; }

    bool is_of(std::string_view token) const {
        return is_reached() &&
               std::equal(token.begin(), token.end(), head().token.begin(), head().token.end());
    }

    /// Whether the rank still has it open; asked of others' only.
    bool is_kept() const {
        flock lock = lock_of_file();
        return fcntl(file_.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    }

    void wait_for(std::uint32_t round, std::chrono::milliseconds deadline) const;

private:
    Descriptor file_;
    std::byte* begin_ = nullptr;
};

void SharedSlots::Memory::wait_for(std::uint32_t round, std::chrono::milliseconds deadline) const {
    Word& said = head().said;
    auto lacks = [&](std::uint32_t rounds) {  // they are counted modulo 2^32
        return static_cast<std::int32_t>(rounds - round) < 0;
    };
    for (int i = 0; i < kSpins; i++, rest())
        if (!lacks(said.load()))
            return;
    Clock::time_point begin = Clock::now();
    for (; Clock::now() - begin < kYields; sched_yield())
        if (!lacks(said.load()))
            return;
    while (lacks(said.load())) {
        if (Clock::now() - begin > deadline)
            throw std::runtime_error("nothing came by the memory that the ranks share");
        if (!is_kept() && lacks(said.load()))
            throw std::runtime_error("a rank has left the memory that the ranks share");
        head().sleepers++;
        if (std::uint32_t seen = said.load(); lacks(seen))
            sleep_on(said, seen);
        head().sleepers--;
    }
}

std::unique_ptr<SharedSlots> SharedSlots::meet(int self,
                                               std::chrono::milliseconds deadline,
                                               const Exchange& exchange) {
    Memory own(make_file());
    std::string token = random_name(kToken / 2), where = own.is_reached() ? neighbourhood() : "";
    if (own.is_reached())
        std::copy(token.begin(), token.end(), own.head().token.begin());
    std::vector<std::string> places =
        exchange(fmt::format("{} {} {} {}", where, getpid(), own.file(), token));
    bool near = !where.empty() && std::all_of(places.begin(), places.end(), [&](const auto& place) {
        return place.starts_with(where + " ");
    });
    if (!near)
        return nullptr;  // as all of them see
    std::vector<Memory> memories;
    bool reached = true;
    for (std::size_t rank = 0; rank < places.size(); rank++) {
        std::vector<std::string> words = split(places[rank], ' ');
        memories.push_back(static_cast<int>(rank) == self ? std::move(own)
                                                          : Memory(open_file(words[1], words[2])));
        reached = reached && memories.back().is_of(words[3]);
    }
    std::vector<std::string> answers = exchange(reached ? "reached" : "not reached");
    if (!std::all_of(
            answers.begin(), answers.end(), [](const auto& one) { return one == "reached"; }))
        return nullptr;
    return std::unique_ptr<SharedSlots>(new SharedSlots(std::move(memories), self, deadline));
}

SharedSlots::SharedSlots(std::vector<Memory> memories, int self, std::chrono::milliseconds deadline)
    : memories_(std::move(memories)),
      self_(self),
      deadline_(deadline) {}

SharedSlots::~SharedSlots() = default;

int SharedSlots::size() const {
    return static_cast<int>(memories_.size());
}

std::byte* SharedSlots::own() {
    return memories_[static_cast<std::size_t>(self_)].slot(++round_);
}

void SharedSlots::say() {
    Head& head = memories_[static_cast<std::size_t>(self_)].head();
    head.said.store(round_);
    if (head.sleepers.load() > 0)
        wake_all(head.said);
}

const std::byte* SharedSlots::of(int rank) const {
    const Memory& memory = memories_[static_cast<std::size_t>(rank)];
    if (rank != self_)
        memory.wait_for(round_, deadline_);
    return memory.slot(round_);
}

}  // namespace stillroom::lm
