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
constexpr std::uint64_t kTold = 1 << 20;  // bytes between two words about progress

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

/// What one GET came to, besides its answer.
struct Try {
    std::string fault;  ///< what the server sends cannot be; empty: nothing wrong so far
    bool whole = false;
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

    Incoming file(cache, head.etag);
    int tried = 0, fresh = 0;
    // Something is wrong with what comes, not with the line: look again, from the beginning.
    auto start_afresh = [&](const HubError& why) {
        if (fresh++ == kFreshStarts)
            throw why;
        HubHead again = client.head(source, commit, path, true);
        if (again.etag != head.etag)
            throw HubError(HubFault::wrong,
                           fmt::format("{} became another file while it was fetched", told),
                           "a commit never changes; does HF_ENDPOINT name a hub?");
        head.address = again.address;
    };
    while (true) {
        Try now;
        const std::uint64_t before = file.size();
        std::uint64_t untold = 0;
        bool begun = false;
        HttpRequest request;
        request.connect_seconds = client.settings().download_seconds;
        request.slow_seconds = client.settings().download_seconds;
        request.slowest = kSlowest;
        if (before > 0)
            request.headers.emplace_back("Range", fmt::format("bytes={}-", before));
        auto begin = [&](const HttpAnswer& answer) {
            std::string coding = answer.header("content-encoding");
            if (!coding.empty() && coding != "identity")
                now.fault = fmt::format("it comes as {}, which was not asked for",
                                        shorten(escape_controls(coding), 40));
            else if (!is_same_file(answer, commit, head.etag))
                now.fault = "it became another file while it was fetched";
            else if (answer.status == 200)
                file.begin_again();  // a server that knows no ranges
            else if (!range_begins_at(answer.header("content-range"), before, size))
                now.fault = "another part of it comes than was asked for";
            std::string length = answer.header("content-length");
            if (now.fault.empty() && !length.empty() &&
                length != std::to_string(size - file.size()))
                now.fault = fmt::format("{} bytes are announced, not {}",
                                        shorten(escape_controls(length), 40),
                                        size - file.size());
        };
        request.body = [&](const HttpAnswer& answer, std::string_view piece) {
            if (answer.status != 200 && answer.status != 206)
                return false;  // an error's page
            if (!std::exchange(begun, true))
                begin(answer);
            if (now.fault.empty() && piece.size() > size - file.size())
                now.fault = fmt::format("more than {} bytes come", size);
            if (!now.fault.empty())
                return false;
            file.add(piece);
            untold += piece.size();
            if (untold >= kTold && arrived) {
                untold = 0;
                arrived(file.size());
            }
            return true;
        };
        HttpAnswer answer;
        if (size > 0 || before > 0)
            answer = client.get(head.address, request);
        now.whole = file.size() == size && now.fault.empty();
        if (now.whole && is_sha256(head.etag)) {
            std::string hash = file.plain_hash();
            if (hash != head.etag)
                now.fault = fmt::format("its SHA-256 is {}, not {}", hash, head.etag);
        }
        if (now.whole && now.fault.empty())
            break;
        if (!now.fault.empty()) {
            file.begin_again();
            start_afresh({HubFault::wrong,
                          fmt::format("{}: {}", told, now.fault),
                          "nothing was kept; does a proxy change what it passes on?"});
            continue;
        }
        bool served = answer.status == 200 || answer.status == 206;
        if (served && answer.end == HttpEnd::answered) {
            answer.end = HttpEnd::cut;  // a server that says no length and hangs up
            answer.why = fmt::format("{} of {} bytes came", file.size(), size);
        }
        if (answer.status == 416)
            file.begin_again();
        if (file.size() >= before + kHeadway)
            tried = 0;
        HubError failure = hub_failure(answer, head.address, source, path, client.settings());
        if (HubClient::may_pass(answer)) {
            if (tried + 1 >= kHubTries)
                throw failure;
            client.pause(tried++, answer, failure);
        } else if (answer.status == 403 || answer.status == 404 || answer.status == 416 ||
                   answer.status == 401) {
            start_afresh(failure);  // the address was signed for a while only
        } else {
            throw failure;
        }
    }
    if (arrived)
        arrived(size);
    std::string digest = file.digest();
    file.become(cache.blobs() / head.etag);
    return digest;
}

}  // namespace stillroom::lm
