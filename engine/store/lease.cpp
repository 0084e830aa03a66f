#include "engine/store/lease.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/units.h"
#include "engine/store/fields.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLife = std::chrono::seconds(Lease::kBeatSeconds * Lease::kBeatsToLive);
constexpr std::size_t kMostBytes = 4096;
constexpr std::int64_t kMaking = 5;  // seconds; longer than anybody needs to write a lease

/// One file of the row, as it was read.
struct Standing {
    int number = 0;  ///< 0: there is none
    Owner owner;
    bool released = false;
    std::string text = {};  ///< changes with each beat

    /// Read again later: still the same one.
    bool is_same(const Standing& again) const {
        if (owner.nonce.empty())
            return !again.text.empty() && text == again.text;
        return owner.nonce == again.owner.nonce;
    }
};

fs::path numbered(const fs::path& file, int number) {
    return number == 1 ? file : fs::path(file.native() + fmt::format(".{}", number));
}

/// The number that the name says; 0 if it is none of the row.
int number_of(std::string_view name, std::string_view first) {
    if (name == first)
        return 1;
    if (!name.starts_with(first) || name.size() < first.size() + 2 || name[first.size()] != '.')
        return 0;
    std::string_view digits = name.substr(first.size() + 1);
    int number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    bool whole = error == std::errc() && end == digits.data() + digits.size();
    return whole && number > 1 && digits[0] != '0' ? number : 0;
}

constexpr std::string_view kTemporary = ".lease~";

/// The numbers that are there, rising. What a taker left who died while he made one goes.
std::vector<int> numbers_of(const fs::path& file) {
    std::vector<int> numbers;
    std::string first = file.filename().string();
    for (const std::string& name : list_folder(file.parent_path())) {
        if (int number = number_of(name, first))
            numbers.push_back(number);
        bool left = name.starts_with(kTemporary) &&
                    life_of(owner_in_name(name.substr(kTemporary.size()))) == Life::dead;
        if (left)
            ::unlink((file.parent_path() / name).c_str());
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

// Always the same length, so that a beat is one write in place and a full disk cannot stop it.
std::string lease_text(const Owner& owner, std::uint64_t beat, bool released) {
    JsonWriter out(1);
    out.begin_object();
    out.key("host"), out.string(owner.host);
    out.key("boot"), out.string(owner.boot);
    out.key("pid"), out.integer(owner.pid);
    out.key("started"), out.integer(owner.started);
    out.key("nonce"), out.string(owner.nonce);
    out.key("since"), out.string(owner.since);
    out.key("beat"), out.string(fmt::format("{:020}", beat));
    out.key("state"), out.string(released ? "free" : "held");
    out.end_object();
    return out.take() + "\n";
}

/// A file that is being made, or torn, has an owner nobody knows; its beats are watched all the
/// same.
Standing read_standing(const fs::path& file, int number) {
    Standing standing{number, {}, false};
    try {
        standing.text = read_file(numbered(file, number), kMostBytes);
        NodePtr root = parse_store_text(standing.text);
        Owner owner;
        owner.host = text_field(*root, "host");
        owner.boot = text_field(*root, "boot");
        owner.pid = static_cast<long>(count_field(*root, "pid"));
        owner.started = static_cast<long long>(count_field(*root, "started"));
        owner.nonce = text_field(*root, "nonce");
        owner.since = text_field(*root, "since");
        standing.released = text_field(*root, "state") == "free";
        standing.owner = owner;
    } catch (const Unreadable&) {
    } catch (const Error&) {
    }
    return standing;
}

Standing highest(const fs::path& file) {
    std::vector<int> numbers = numbers_of(file);
    return numbers.empty() ? Standing{} : read_standing(file, numbers.back());
}

/// What this process saw of the beats of others. It has to outlive one call of take(), and every
/// engine asks for many leases, from several threads.
class Watch {
public:
    /// True once the text has stood still for the life of a lease. Monotonic: clocks may jump, and
    /// those of other hosts are nobody's business.
    bool stood_still(const fs::path& file, const Standing& standing) {
        std::lock_guard lock(mutex_);
        Seen& seen = seen_[file.native()];
        if (seen.number != standing.number || seen.text != standing.text)
            seen = {standing.number, standing.text, Clock::now()};
        return Clock::now() - seen.since >= kLife;
    }

    void forget(const fs::path& file) {
        std::lock_guard lock(mutex_);
        seen_.erase(file.native());
    }

private:
    struct Seen {
        int number = 0;
        std::string text;
        Clock::time_point since;
    };
    std::mutex mutex_;
    std::map<std::string, Seen> seen_;
};

Watch& watch() {
    static Watch one;
    return one;
}

/// Makes the file with its text in one step, or says that it is there already. Throws Error (exit
/// 4).
bool make_exclusively(const fs::path& file, const Owner& owner) {
    // A link makes name and text appear together. Where there are no hard links a reader may see
    // the file without its text, and takes it for one whose owner nobody knows.
    fs::path temporary = file.parent_path() / (std::string(kTemporary) + temporary_name(owner));
    Descriptor out(retried([&] {
        return ::open(
            temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    }));
    if (!out.is_open())
        refuse_write(file, errno);
    try {
        write_all(out, lease_text(owner, 0, false), file);
        close_written(out, file);
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    int code = retried([&] { return ::link(temporary.c_str(), file.c_str()); }) == 0 ? 0 : errno;
    if (code != 0) {  // over NFS a link may be made and its answer lost
        struct stat made {};
        if (::stat(temporary.c_str(), &made) == 0 && made.st_nlink == 2)
            code = 0;
    }
    bool no_links = code == EPERM || code == EOPNOTSUPP || code == ENOSYS || code == EMLINK;
    ::unlink(temporary.c_str());
    if (no_links) {
        Descriptor direct(retried([&] {
            return ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        }));
        code = direct.is_open() ? 0 : errno;
        if (code == 0) {
            write_all(direct, lease_text(owner, 0, false), file);
            close_written(direct, file);
        }
    }
    if (code == EEXIST)
        return false;
    if (code != 0)
        refuse_write(file, code);
    return true;
}

/// How long the file has stood still. Both times come from the file system that holds it. 0 if
/// nobody can tell.
std::int64_t seconds_unchanged(const fs::path& file) {
    struct stat status {};
    struct stat now {};
    fs::path probe =
        file.parent_path() / (std::string(kTemporary) + temporary_name(this_process()));
    bool known = ::stat(file.c_str(), &status) == 0;
    Descriptor made(::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    known = known && made.is_open() && ::fstat(made.get(), &now) == 0;
    if (made.is_open())
        ::unlink(probe.c_str());
    return known ? now.st_mtim.tv_sec - status.st_mtim.tv_sec : 0;
}

bool is_there(const fs::path& file, const Standing& standing) {
    struct stat status {};
    return ::lstat(numbered(file, standing.number).c_str(), &status) == 0;
}

/// An empty file: its text was lost in a power cut, unless it is being made just now.
bool is_abandoned(const fs::path& file, const Standing& standing) {
    return standing.number > 0 && standing.text.empty() &&
           seconds_unchanged(numbered(file, standing.number)) > kMaking;
}

}  // namespace

struct Lease::State {
    fs::path file;
    int number = 0;
    Owner owner;
    std::uint64_t beats = 0;  ///< written so far

    fs::path path() const { return numbered(file, number); }

    /// Our own file, never one that took its name after ours had gone.
    Descriptor open(int mode) const {
        Descriptor lease(retried(
            [&] { return ::open(path().c_str(), mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK); }));
        char there[kMostBytes];
        ssize_t count =
            lease.is_open() ? ::pread(lease.get(), there, sizeof there, 0) : ssize_t{-1};
        std::string_view text(there, static_cast<std::size_t>(std::max(count, ssize_t{0})));
        bool ours = text.find(json_quoted(owner.nonce)) != std::string_view::npos;
        return ours ? std::move(lease) : Descriptor();
    }

    void write(std::uint64_t beat, bool released) const {
        // A beat that fails is a beat missed; who misses ten loses the lease.
        std::string text = lease_text(owner, beat, released);
        if (Descriptor out = open(O_RDWR); out.is_open())
            (void)!retried([&] { return ::pwrite(out.get(), text.data(), text.size(), 0); });
    }
};

/// The thread that beats for every lease of this process, while there are any. An engine takes one
/// for each stage, most of which are over before their first beat.
class Lease::Heart {
public:
    static Heart& shared() {
        static Heart one;
        return one;
    }

    Heart() = default;
    Heart(const Heart&) = delete;
    Heart& operator=(const Heart&) = delete;
    ~Heart() {
        {
            std::lock_guard lock(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        if (thread_.joinable())
            thread_.join();
    }

    void add(State* lease) {
        std::lock_guard lock(mutex_);
        leases_.insert(lease);
        if (!thread_.joinable())
            thread_ = std::thread([this] { beat(); });
    }

    /// When it returns nothing of the lease is being written, or will be.
    void drop(State* lease) {
        std::lock_guard lock(mutex_);
        leases_.erase(lease);
    }

private:
    void beat() {
        std::unique_lock lock(mutex_);
        while (!wake_.wait_for(lock, std::chrono::seconds(kBeatSeconds), [this] { return stop_; }))
            for (State* lease : leases_)
                lease->write(++lease->beats, false);
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::set<State*> leases_;
    std::thread thread_;
    bool stop_ = false;
};

Lease::Lease(std::unique_ptr<State> state) : state_(std::move(state)) {}
Lease::Lease(Lease&&) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this != &other) {
        release();
        state_ = std::move(other.state_);
    }
    return *this;
}

Lease::~Lease() {
    release();
}

std::optional<Lease> Lease::take(const fs::path& file, Owner& holder) {
    bool fresh = false;
    return take(file, holder, fresh);
}

std::optional<Lease> Lease::take(const fs::path& file, Owner& holder, bool& fresh) {
    fs::path absolute = fs::absolute(file);
    for (;; fresh = false) {
        Standing before = fresh ? Standing{} : highest(absolute);
        bool held = before.number > 0 && !before.released;
        if (held && life_of(before.owner) != Life::dead && !watch().stood_still(absolute, before) &&
            !is_abandoned(absolute, before)) {
            holder = before.owner;
            return std::nullopt;
        }
        auto state = std::make_unique<State>();
        state->file = absolute;
        state->number = before.number + 1;
        state->owner = this_process();
        if (!make_exclusively(state->path(), state->owner))
            continue;  // another taker was faster
        // Whoever slept between looking and making may have made an old number: then a higher one
        // is there, or the one he stepped over is not, or not the same.
        std::vector<int> numbers = numbers_of(absolute);
        bool follows = before.number == 0;
        if (!follows) {
            Standing again = read_standing(absolute, before.number);
            follows = before.is_same(again) ||
                      (before.text.empty() && again.text.empty() && is_there(absolute, before));
        }
        if (numbers.empty() || numbers.back() != state->number || !follows) {
            ::unlink(state->path().c_str());
            continue;
        }
        for (int number : numbers)  // rising, so that what is left never looks held
            if (number < state->number)
                ::unlink(numbered(absolute, number).c_str());
        watch().forget(absolute);
        Heart::shared().add(state.get());
        return Lease(std::move(state));
    }
}

std::optional<Owner> Lease::holder(const fs::path& file) {
    Standing standing = highest(fs::absolute(file));
    if (standing.number == 0 || standing.released)
        return std::nullopt;
    Life life = life_of(standing.owner);
    if (life == Life::dead)
        return std::nullopt;
    if (life == Life::alive)
        return standing.owner;
    // Elsewhere: one look cannot see beats, so the time of the last one must do.
    bool is_old = seconds_unchanged(numbered(file, standing.number)) > 2 * kLife.count();
    return is_old || is_abandoned(file, standing) ? std::nullopt : std::optional(standing.owner);
}

bool Lease::still_mine() const {
    if (!state_)
        return false;
    struct stat status {};
    if (::lstat(numbered(state_->file, state_->number + 1).c_str(), &status) == 0)
        return false;
    return state_->open(O_RDONLY).is_open();
}

void Lease::release() {
    if (!state_)
        return;
    Heart::shared().drop(state_.get());
    state_->write(0, true);
    state_.reset();
}

bool Lease::remove() {
    if (!state_)
        return true;
    Heart::shared().drop(state_.get());
    bool gone = !still_mine() || ::unlink(state_->path().c_str()) == 0;
    if (!gone)
        state_->write(0, true);  // then it is at least free
    state_.reset();
    return gone;
}

const Owner& Lease::owner() const {
    return state_->owner;
}

}  // namespace stillroom
