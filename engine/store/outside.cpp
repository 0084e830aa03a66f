// What is remembered of files outside the store: their digests by what stat says of them, and the
// bindings of stages that name sources. All of it may be lost or wrong at any time: what does not
// read is as good as absent.

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/sha256.h"
#include "engine/store/fields.h"
#include "engine/store/places.h"
#include "engine/store/store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>
#include <ctime>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostNote = 8192;
constexpr std::int64_t kSecond = 1'000'000'000;

std::string stamp_text(const FileStamp& stamp) {
    return fmt::format("{} {} {} {} {}",
                       stamp.device,
                       stamp.inode,
                       stamp.size,
                       stamp.modified_ns,
                       stamp.changed_ns);
}

fs::path digest_note(const fs::path& store, const FileStamp& stamp) {
    std::string name = sha256_hex(stamp_text(stamp));
    return store / "digests" / name.substr(0, 2) / name.substr(2);
}

/// A file that changes twice within one tick of its clock keeps its stamp: only of one that was
/// left alone for longer does the stamp say anything. Clocks of some file systems count seconds.
bool is_settled(const FileStamp& stamp, std::int64_t now) {
    std::int64_t newest = std::max(stamp.modified_ns, stamp.changed_ns);
    bool whole_seconds = stamp.modified_ns % kSecond == 0 && stamp.changed_ns % kSecond == 0;
    return now - newest > (whole_seconds ? 2 * kSecond : kSecond / 50);
}

std::int64_t now_ns() {
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    return std::int64_t{now.tv_sec} * kSecond + now.tv_nsec;
}

std::optional<std::string> remembered(const fs::path& store, const FileStamp& stamp) {
    std::string text;
    try {
        text = read_file(digest_note(store, stamp), kMostNote);
    } catch (const Error&) {
        return std::nullopt;
    }
    std::string wanted = stamp_text(stamp) + "\n";
    bool fits = text.starts_with(wanted) && text.size() > wanted.size() + 64 &&
                text[wanted.size() + 64] == '\n' && is_digest(text.substr(wanted.size(), 64));
    return fits ? std::optional(text.substr(wanted.size(), 64)) : std::nullopt;
}

void note_digest(const fs::path& store, const FileRecord& file, std::int64_t hashed_at) {
    if (!is_settled(file.stamp, hashed_at) || !is_digest(file.digest))
        return;
    std::string path = file.path;  // for people; a reader asks for the first two lines
    path.resize(std::min<std::size_t>(path.size(), 4096));
    try {
        put_remembered(store,
                       digest_note(store, file.stamp),
                       fmt::format("{}\n{}\n{}\n", stamp_text(file.stamp), file.digest, path));
    } catch (const Error&) {  // a store that cannot be written: hashed again next time
    }
}

void write_records(JsonWriter& out, const std::vector<FileRecord>& files) {
    out.begin_array();
    for (const FileRecord& file : files) {
        out.begin_object();
        out.key("path"), out.string(file.path);
        out.key("size"), out.integer(static_cast<std::int64_t>(file.size));
        out.key("digest"), out.string(file.digest);
        out.key("stamp"), out.string(stamp_text(file.stamp));
        out.end_object();
    }
    out.end_array();
}

FileStamp parse_stamp(const std::string& text) {
    FileStamp stamp;
    const char* at = text.data();
    const char* end = at + text.size();
    auto next = [&](auto& number) {
        if (at != text.data() && at != end && *at == ' ')
            ++at;
        auto result = std::from_chars(at, end, number);
        if (result.ec != std::errc())
            throw Unreadable{"'stamp' is no stamp"};
        at = result.ptr;
    };
    next(stamp.device);
    next(stamp.inode);
    next(stamp.size);
    next(stamp.modified_ns);
    next(stamp.changed_ns);
    return stamp;
}

std::vector<FileRecord> read_records(const Node& list) {
    std::vector<FileRecord> files;
    for (const NodePtr& item : list.items)
        files.push_back({text_field(*item, "path"),
                         count_field(*item, "size"),
                         digest_field(*item, "digest"),
                         parse_stamp(text_field(*item, "stamp"))});
    return files;
}

}  // namespace

std::optional<Binding> Store::find_binding(std::string_view id) const {
    check_key(id);
    fs::path file = folder_ / "bindings" / id;
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0)
        return std::nullopt;
    try {
        NodePtr root = read_store_file(file);
        Binding binding;
        for (const Entry& entry : field(*root, "outputs", Kind::map).entries) {
            Binding::Folder folder;
            folder.type = text_field(*entry.value, "type");
            folder.path = text_field(*entry.value, "path");
            folder.files = read_records(field(*entry.value, "files", Kind::list));
            folder.digest = digest_field(*entry.value, "digest");
            for (const FileRecord& record : folder.files)
                if (!is_inside(record.path))
                    return std::nullopt;
            if (content_digest(folder.files) != folder.digest)
                return std::nullopt;
            binding.outputs.emplace(entry.key, std::move(folder));
        }
        binding.reads = read_records(field(*root, "reads", Kind::list));
        binding.key = text_field(*root, "key");
        bool sound = binding.key.empty() || is_digest(binding.key);
        return sound ? std::optional(std::move(binding)) : std::nullopt;
    } catch (const Unreadable&) {
        return std::nullopt;
    }
}

std::optional<Binding::Folder> Store::find_source(const fs::path& folder,
                                                  std::string_view digest) const {
    for (const std::string& id : list_folder(folder_ / "bindings")) {
        if (!is_digest(id))
            continue;
        std::optional<Binding> binding = find_binding(id);
        if (!binding)
            continue;
        for (auto& [name, source] : binding->outputs)
            if (source.path == folder && source.digest == digest)
                return std::move(source);
    }
    return std::nullopt;
}

void Store::remember_binding(std::string_view id, const Binding& binding) const {
    check_key(id);
    JsonWriter out(1);
    out.begin_object();
    out.key("outputs");
    out.begin_object();
    for (const auto& [name, folder] : binding.outputs) {
        out.key(name);
        out.begin_object();
        out.key("type"), out.string(folder.type);
        out.key("path"), out.string(folder.path.native());
        out.key("digest"), out.string(folder.digest);
        out.key("files"), write_records(out, folder.files);
        out.end_object();
    }
    out.end_object();
    out.key("reads"), write_records(out, binding.reads);
    out.key("key"), out.string(binding.key);
    out.end_object();
    put_remembered(folder_, folder_ / "bindings" / id, out.text());
}

std::optional<FileRecord> Store::outside_file(const fs::path& file,
                                              Verify verify,
                                              std::uint64_t most,
                                              unsigned threads) const {
    FileStamp stamp = stamp_of(file);
    if (verify == Verify::sizes)
        if (std::optional<std::string> digest = remembered(folder_, stamp))
            return FileRecord{file.string(), stamp.size, *digest, stamp};
    if (stamp.size > most)
        return std::nullopt;
    std::int64_t begun = now_ns();
    FileRecord record = digest_file(file, threads);
    note_digest(folder_, record, begun);
    return record;
}

void Store::remember(const FileRecord& file) const {
    note_digest(folder_, file, now_ns());
}

std::string Store::outside_digest(const fs::path& path, Verify verify, unsigned threads) const {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        return outside_file(path, verify, UINT64_MAX, threads)->digest;
    std::vector<FileRecord> files;
    std::vector<fs::path> unknown;
    std::vector<std::size_t> places;
    for (const std::string& name : files_below(path, Links::follow_to_files)) {
        FileRecord record{name, 0, "", stamp_of(path / name)};
        std::optional<std::string> digest;
        if (verify == Verify::sizes)
            digest = remembered(folder_, record.stamp);
        if (digest) {
            record.digest = *digest;
        } else {
            unknown.push_back(path / name);
            places.push_back(files.size());
        }
        files.push_back(std::move(record));
    }
    std::int64_t begun = now_ns();
    std::vector<FileRecord> hashed = digest_files(unknown, threads);
    for (std::size_t i = 0; i < hashed.size(); ++i) {
        note_digest(folder_, hashed[i], begun);
        files[places[i]].digest = hashed[i].digest;
    }
    return content_digest(files);
}

}  // namespace stillroom
