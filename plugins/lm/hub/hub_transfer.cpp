#include "plugins/lm/hub/hub_transfer.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/base/units.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kLargest = 50'000'000'000;  // what hubs give over plain HTTP
constexpr std::uint64_t kHeadway = 16 << 10;        // bytes after which a try was not in vain
constexpr long kSlowest = 1024;                     // bytes a second; less is as good as none
constexpr int kFreshStarts = 2;
constexpr std::uint64_t kMostIgnored = 64 << 10;  // of an error's page
constexpr std::uint64_t kTold = 1 << 20;          // bytes between two words about progress

std::string hex(const PlainSha256::Hash& hash) {
    std::string text;
    for (unsigned char byte : hash)
        fmt::format_to(std::back_inserter(text), "{:02x}", byte);
    return text;
}

/// The file on its way, and both its hashes.
class Incoming {
public:
    Incoming(const RepoCache& cache, const std::string& etag)
        : path_(cache.incomplete_blob(etag)),
          file_(make_new_file(path_)) {}
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    ~Incoming() {
        if (!path_.empty())
            ::unlink(path_.c_str());
    }

    std::uint64_t size() const { return size_; }

    void add(std::string_view bytes) {
        write_all(file_, bytes, path_);
        plain_.add(bytes);
        chunked_.add(bytes);
        size_ += bytes.size();
    }

    void begin_again() {
        if (size_ == 0)
            return;
        if (retried([&] { return ::ftruncate(file_.get(), 0); }) != 0 ||
            ::lseek(file_.get(), 0, SEEK_SET) != 0)
            refuse_write(path_, errno);
        size_ = 0;
        plain_ = PlainSha256();
        chunked_ = RunningDigest();
    }

    std::string plain_hash() { return hex(plain_.take()); }
    std::string digest() { return chunked_.hex(); }

    void become(const fs::path& blob) {
        sync(file_, path_);
        close_written(file_, path_);
        rename_path(path_, blob);
        path_.clear();
        sync_folder(blob.parent_path());
    }

private:
    fs::path path_;
    Descriptor file_;
    std::uint64_t size_ = 0;
    PlainSha256 plain_;
    RunningDigest chunked_;
};

/// "bytes 100-199/200".
bool range_begins_at(const std::string& text, std::uint64_t begin, std::uint64_t size) {
    return text == fmt::format("bytes {}-{}/{}", begin, size - 1, size) ||
           text == fmt::format("bytes {}-{}/*", begin, size - 1);
}

/// A hub's own answer names the file; a content network's does not.
bool is_same_file(const HttpAnswer& answer, const std::string& commit, const std::string& etag) {
    std::string named = answer.header("x-repo-commit");
    if (named.empty())
        return true;
    std::string linked = answer.header("x-linked-etag");
    return named == commit && bare_etag(linked.empty() ? answer.header("etag") : linked) == etag;
}

/// One blob, tried until it is there.
class Transfer {
public:
    Transfer(HubClient& client,
             const RepoCache& cache,
             const HubSource& source,
             const std::string& commit,
             const std::string& path,
             HubHead head,
             std::uint64_t size,
             const std::function<void(std::uint64_t)>& arrived)
        : client_(client),
          source_(source),
          commit_(commit),
          path_(path),
          head_(std::move(head)),
          size_(size),
          arrived_(arrived),
          file_(cache, head_.etag) {}

    /// Its digest, once it lies in its place.
    std::string run(const fs::path& blob) {
        for (;;) {
            const std::uint64_t before = file_.size();
            fault_.clear();
            HttpAnswer answer;
            if (size_ > 0)
                answer = try_once(before);
            if (fault_.empty() && file_.size() == size_)
                check_hash();
            if (fault_.empty() && file_.size() == size_)
                break;
            if (fault_.empty())
                look_after(std::move(answer), before);
            else
                start_afresh_after_fault();
        }
        tell(size_);
        std::string digest = file_.digest();
        file_.become(blob);
        return digest;
    }

private:
    HttpAnswer try_once(std::uint64_t before) {
        std::uint64_t untold = 0, ignored = 0;
        bool begun = false;
        HttpRequest request;
        request.connect_seconds = client_.settings().download_seconds;
        request.slow_seconds = client_.settings().download_seconds;
        request.slowest = kSlowest;
        if (before > 0)
            request.headers.emplace_back("Range", fmt::format("bytes={}-", before));
        request.body = [&](const HttpAnswer& answer, std::string_view piece) {
            if (answer.status != 200 && answer.status != 206)  // a page that goes with it
                return (ignored += piece.size()) <= kMostIgnored;
            if (!std::exchange(begun, true))
                begin(answer, before);
            if (fault_.empty() && piece.size() > size_ - file_.size())
                fault_ = fmt::format("more than {} bytes come", size_);
            if (!fault_.empty())
                return false;
            file_.add(piece);
            untold += piece.size();
            if (untold >= kTold)
                tell(file_.size()), untold = 0;
            return true;
        };
        return client_.get(head_.address, std::move(request));
    }

    /// What the headers announce is what was asked for.
    void begin(const HttpAnswer& answer, std::uint64_t before) {
        std::string coding = answer.header("content-encoding");
        if (!coding.empty() && coding != "identity")
            fault_ = fmt::format("it comes as {}, which was not asked for",
                                 shorten(escape_controls(coding), 40));
        else if (!is_same_file(answer, commit_, head_.etag))
            fault_ = "it became another file while it was fetched";
        else if (answer.status == 200)
            file_.begin_again();  // a server that knows no ranges
        else if (!range_begins_at(answer.header("content-range"), before, size_))
            fault_ = "another part of it comes than was asked for";
        std::string length = answer.header("content-length");
        std::uint64_t left = size_ - file_.size();
        if (fault_.empty() && !length.empty() && length != std::to_string(left))
            fault_ = fmt::format(
                "{} bytes are announced, not {}", shorten(escape_controls(length), 40), left);
    }

    void check_hash() {
        if (!is_sha256(head_.etag))
            return;
        if (std::string hash = file_.plain_hash(); hash != head_.etag)
            fault_ = fmt::format("its SHA-256 is {}, not {}", hash, head_.etag);
    }

    /// The line broke, or there was an answer without the file: wait, ask anew, or give up.
    void look_after(HttpAnswer answer, std::uint64_t before) {
        bool served = answer.status == 200 || answer.status == 206;
        if (served && answer.end == HttpEnd::answered) {
            answer.end = HttpEnd::cut;  // a server that says no length and hangs up
            answer.why = fmt::format("{} of {} bytes came", file_.size(), size_);
        }
        if (answer.status == 416)
            file_.begin_again();
        if (file_.size() >= before + kHeadway)
            tried_ = 0;
        HubError failure = hub_failure(answer, head_.address, source_, path_, client_.settings());
        bool may_be_old = answer.status == 401 || answer.status == 403 || answer.status == 404 ||
                          answer.status == 416;  // an address is signed for a while only
        if (HubClient::may_pass(answer) && tried_ + 1 < kHubTries)
            client_.pause(tried_++, answer, failure);
        else if (may_be_old)
            start_afresh(failure);
        else
            throw failure;
    }

    /// Something is wrong with what comes, not with the line.
    void start_afresh_after_fault() {
        file_.begin_again();
        start_afresh({HubFault::wrong,
                      fmt::format("'{}' of {}: {}", path_, source_.told(), fault_),
                      "nothing was kept; does a proxy change what it passes on?"});
    }

    void start_afresh(const HubError& why) {
        if (fresh_++ == kFreshStarts)
            throw why;
        HubHead again = client_.head(source_, commit_, path_, true);
        if (again.etag != head_.etag)
            throw HubError(
                HubFault::wrong,
                fmt::format(
                    "'{}' of {} became another file while it was fetched", path_, source_.told()),
                "a commit never changes; does HF_ENDPOINT name a hub?");
        head_.address = again.address;
    }

    void tell(std::uint64_t bytes) const {
        if (arrived_)
            arrived_(bytes);
    }

    HubClient& client_;
    const HubSource& source_;
    const std::string& commit_;
    const std::string& path_;
    HubHead head_;
    std::uint64_t size_;
    const std::function<void(std::uint64_t)>& arrived_;
    Incoming file_;
    std::string fault_;  ///< what is wrong with what came last; empty: nothing so far
    int tried_ = 0;      ///< since there was headway
    int fresh_ = 0;
};

}  // namespace

bool is_sha256(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool blob_is_sound(const RepoCache& cache, const std::string& etag) {
    if (!is_sha256(etag))
        return true;
    fs::path blob = cache.blobs() / etag;
    Descriptor file(retried([&] { return ::open(blob.c_str(), O_RDONLY | O_CLOEXEC); }));
    std::string buffer(std::size_t{1} << 20, '\0');
    PlainSha256 hash;
    for (;;) {
        ssize_t count = retried([&] { return ::read(file.get(), buffer.data(), buffer.size()); });
        if (count < 0)
            return false;
        if (count == 0)
            return hex(hash.take()) == etag;
        hash.add({buffer.data(), static_cast<std::size_t>(count)});
    }
}

std::string transfer_blob(HubClient& client,
                          const RepoCache& cache,
                          const HubSource& source,
                          const std::string& commit,
                          const std::string& path,
                          HubHead head,
                          std::uint64_t size,
                          const std::function<void(std::uint64_t)>& arrived) {
    const std::string told = fmt::format("'{}' of {}", path, source.told());
    if (size > kLargest)
        throw HubError(HubFault::wrong,
                       fmt::format("{} has {}, over the {} that hubs give over HTTP",
                                   told,
                                   size_text(size),
                                   size_text(kLargest)),
                       fmt::format("`hf download {}` has another way", source.repo));
    if (std::uint64_t free = free_space(cache.blobs()); free > 0 && free < size)
        throw Error({},
                    fmt::format("{} has {}, and {} has {} free",
                                told,
                                size_text(size),
                                cache.root().string(),
                                size_text(free)))
            .hint("HF_HUB_CACHE names another place for the cache")
            .exit_code(kExitResource);

    fs::path blob = cache.blobs() / head.etag;
    return Transfer(client, cache, source, commit, path, std::move(head), size, arrived).run(blob);
}

}  // namespace stillroom::lm
