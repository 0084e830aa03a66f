#include "engine/run/record.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <memory>

namespace stillroom {
namespace {

constexpr std::size_t kLongestText = std::size_t{64} << 10;
constexpr std::size_t kMostNodes = 200'000;
constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;
constexpr std::size_t kMostAPoll = std::size_t{16} << 20;

/// Text that any reader takes: cut at a character, with the replacement character for bytes that
/// are none.
std::string clean(std::string_view text) {
    std::string out;
    bool cut = text.size() > kLongestText;
    if (cut) {
        std::size_t end = kLongestText;
        while (end > kLongestText - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
            --end;
        text = text.substr(0, end);
    }
    while (std::optional<std::size_t> bad = find_invalid_utf8(text)) {
        out += text.substr(0, *bad);
        append_utf8(out, U'\uFFFD');
        text.remove_prefix(*bad + 1);
    }
    out += text;
    if (cut)
        out += "...";
    return out;
}

class LineWriter {
public:
    LineWriter() { out_.begin_object(); }

    void text(std::string_view key, std::string_view value) {
        out_.key(key);
        out_.string(clean(value));
    }
    void some_text(std::string_view key, std::string_view value) {
        if (!value.empty())
            text(key, value);
    }
    void integer(std::string_view key, std::int64_t value) {
        out_.key(key);
        out_.integer(value);
    }
    void number(std::string_view key, double value) {
        out_.key(key);
        out_.number(value);
    }
    void boolean(std::string_view key, bool value) {
        out_.key(key);
        out_.boolean(value);
    }
    void texts(std::string_view key, const std::vector<std::string>& values) {
        out_.key(key);
        out_.begin_array();
        for (const std::string& value : values)
            out_.string(clean(value));
        out_.end_array();
    }
    /// Devices and inodes may use all 64 bits: they go as text.
    void stamp(const FileStamp& stamp) {
        out_.key("stamp");
        out_.begin_array();
        out_.string(std::to_string(stamp.device));
        out_.string(std::to_string(stamp.inode));
        out_.string(std::to_string(stamp.size));
        out_.string(std::to_string(stamp.modified_ns));
        out_.string(std::to_string(stamp.changed_ns));
        out_.end_array();
    }
    std::string take() {
        out_.end_object();
        return out_.take() + "\n";
    }

private:
    JsonWriter out_;
};

void write_result(LineWriter& out, const Record& record) {
    out.boolean("ok", record.ok);
    if (!record.ok) {
        out.integer("exit", record.exit_code);
        out.text("message", record.text);
        out.some_text("key", record.key);
        out.some_text("hint", record.hint);
        if (!record.list.empty())
            out.texts("notes", record.list);
    }
    if (record.cancelled)
        out.boolean("cancelled", true);
}

void write_fields(LineWriter& out, const Record& record) {
    const std::string& event = record.event;
    if (event == "start") {
        out.integer("pid", record.pid);
        out.text("host", record.host);
        out.integer("rank", record.rank);
        out.integer("world", record.world);
        out.text("launcher", record.name);
    } else if (event == "plugin") {
        out.text("name", record.name);
        out.text("version", record.text);
        out.text("path", record.file.path);
        out.text("build", record.file.digest);
    } else if (event == "progress") {
        out.number("done", record.value);
        out.text("what", record.text);
    } else if (event == "metric") {
        out.text("name", record.name);
        out.number("value", record.value);
        out.integer("step", record.step);
    } else if (event == "log") {
        out.text("level", record.name);
        out.text("text", record.text);
    } else if (event == "text") {
        out.text("text", record.text);
    } else if (event == "decided") {
        out.text("name", record.name);
        out.text("value", record.text);
    } else if (event == "cost") {
        for (const auto& [name, value] : record.numbers)
            out.number(name, value);
    } else if (event == "bind") {
        out.text("output", record.name);
        out.text("path", record.text);
        out.texts("files", record.list);
    } else if (event == "reads") {
        out.text("path", record.text);
    } else if (event == "hashed") {
        out.text("path", record.file.path);
        out.integer("size", static_cast<std::int64_t>(record.file.size));
        out.text("digest", record.file.digest);
        out.stamp(record.file.stamp);
    } else if (event == "gate") {
        out.text("message", record.text);
    } else if (event == "result") {
        write_result(out, record);
    }
}

/// The fields of a line, each absent where it has another type.
class LineReader {
public:
    explicit LineReader(const Node& map) : map_(map) {}

    std::string text(std::string_view key) const {
        NodePtr node = map_.get(key);
        return node && node->kind == Kind::string ? node->text : std::string();
    }
    double number(std::string_view key) const {
        NodePtr node = map_.get(key);
        return node ? number_of(*node) : 0;
    }
    static double number_of(const Node& node) {
        if (node.kind == Kind::integer || node.kind == Kind::number)
            return double_value(node);
        if (node.text == "inf")
            return INFINITY;
        if (node.text == "-inf")
            return -INFINITY;
        return node.text == "nan" ? NAN : 0;
    }
    std::int64_t integer(std::string_view key) const {
        NodePtr node = map_.get(key);
        return node && node->kind == Kind::integer ? parse<std::int64_t>(node->text) : 0;
    }
    int small(std::string_view key) const {
        std::int64_t value = integer(key);
        return value < 0 || value > INT32_MAX ? 0 : static_cast<int>(value);
    }
    bool boolean(std::string_view key) const {
        NodePtr node = map_.get(key);
        return node && node->kind == Kind::boolean && node->text == "true";
    }
    std::vector<std::string> texts(std::string_view key) const {
        std::vector<std::string> out;
        NodePtr list = map_.get(key);
        if (list && list->is_list())
            for (const NodePtr& item : list->items)
                if (item->kind == Kind::string)
                    out.push_back(item->text);
        return out;
    }
    FileStamp stamp(std::string_view key) const {
        std::vector<std::string> parts = texts(key);
        if (parts.size() != 5)
            return {};
        return {parse<std::uint64_t>(parts[0]),
                parse<std::uint64_t>(parts[1]),
                parse<std::uint64_t>(parts[2]),
                parse<std::int64_t>(parts[3]),
                parse<std::int64_t>(parts[4])};
    }

private:
    template <class T>
    static T parse(const std::string& text) {
        T value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size() ? value : T{0};
    }

    const Node& map_;
};

void read_fields(Record& record, const LineReader& in, const Node& map) {
    const std::string& event = record.event;
    if (event == "start") {
        record.pid = static_cast<long>(in.integer("pid"));
        record.host = in.text("host");
        record.rank = in.small("rank");
        record.world = in.small("world");
        record.name = in.text("launcher");
    } else if (event == "plugin") {
        record.name = in.text("name");
        record.text = in.text("version");
        record.file.path = in.text("path");
        record.file.digest = in.text("build");
    } else if (event == "progress") {
        record.value = in.number("done");
        record.text = in.text("what");
    } else if (event == "metric") {
        record.name = in.text("name");
        record.value = in.number("value");
        record.step = in.integer("step");
    } else if (event == "log") {
        record.name = in.text("level");
        record.text = in.text("text");
    } else if (event == "text") {
        record.text = in.text("text");
    } else if (event == "decided") {
        record.name = in.text("name");
        record.text = in.text("value");
    } else if (event == "cost") {
        for (const Entry& entry : map.entries)
            if (entry.key != "ts" && entry.key != "event" && entry.key != "stage")
                record.numbers[entry.key] = LineReader::number_of(*entry.value);
    } else if (event == "bind") {
        record.name = in.text("output");
        record.text = in.text("path");
        record.list = in.texts("files");
    } else if (event == "reads") {
        record.text = in.text("path");
    } else if (event == "hashed") {
        record.file.path = in.text("path");
        record.file.size = static_cast<std::uint64_t>(in.integer("size"));
        record.file.digest = in.text("digest");
        record.file.stamp = in.stamp("stamp");
    } else if (event == "gate") {
        record.text = in.text("message");
    } else if (event == "result") {
        record.ok = in.boolean("ok");
        record.exit_code = in.small("exit");
        record.text = in.text("message");
        record.key = in.text("key");
        record.hint = in.text("hint");
        record.list = in.texts("notes");
        record.cancelled = in.boolean("cancelled");
    }
}

}  // namespace

std::string record_file(int rank) {
    return fmt::format("rank-{:04}.log", rank);
}

std::string record_line(const Record& record) {
    LineWriter out;
    out.text("ts", record.time.empty() ? utc_now() : record.time);
    out.text("event", record.event);
    out.some_text("stage", record.stage);
    write_fields(out, record);
    std::string line = out.take();
    if (line.size() > kLongestRecord)
        throw Error({},
                    fmt::format("a record of {} has {} bytes, more than {}",
                                record.event,
                                line.size(),
                                kLongestRecord))
            .exit_code(kExitResource);
    return line;
}

std::optional<Record> read_record(std::string_view line) {
    if (line.size() < 2 || line.size() > kLongestRecord || line[0] != '{')
        return std::nullopt;
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kLongestRecord;
    limits.nodes = kMostNodes;
    Document document = read_json(sources.add("", std::string(line)), limits, diagnostics);
    if (!diagnostics.ok() || !document.root || !document.root->is_map())
        return std::nullopt;
    LineReader in(*document.root);
    Record record;
    record.event = in.text("event");
    if (record.event.empty())
        return std::nullopt;
    record.time = in.text("ts");
    record.stage = in.text("stage");
    read_fields(record, in, *document.root);
    return record;
}

void RecordFollower::take(std::string_view line, std::vector<Record>& records) {
    if (line.find_first_not_of(" \r") == std::string_view::npos)
        return;  // what ended an earlier try's torn line
    if (std::optional<Record> record = read_record(line))
        records.push_back(std::move(*record));
    else
        ++skipped_;
}

std::vector<Record> RecordFollower::poll() {
    std::vector<Record> records;
    more_ = false;
    int fd = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return records;  // not there yet, or the file system hides it for a while
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(fd);  // a device may have no end
        return records;
    }
    // Asked many times a second, with mostly nothing new: not filled with zeros each time.
    static thread_local const std::unique_ptr<char[]> buffer =
        std::make_unique_for_overwrite<char[]>(kReadAtOnce);
    more_ = true;
    for (std::size_t total = 0; total < kMostAPoll;) {
        if (offset_ >= static_cast<std::uint64_t>(status.st_size)) {
            more_ = false;
            break;
        }
        ssize_t count = ::pread(fd, buffer.get(), kReadAtOnce, static_cast<off_t>(offset_));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            more_ = false;
            break;
        }
        offset_ += static_cast<std::uint64_t>(count);
        total += static_cast<std::size_t>(count);
        std::string_view text(buffer.get(), static_cast<std::size_t>(count));
        for (;;) {
            std::size_t end = text.find('\n');
            if (!too_long_)
                pending_ += text.substr(0, end);
            if (pending_.size() > kLongestRecord) {
                too_long_ = true;
                ++skipped_;
                pending_.clear();
            }
            if (end == std::string_view::npos)
                break;
            if (!too_long_)
                take(pending_, records);
            too_long_ = false;
            pending_.clear();
            text.remove_prefix(end + 1);
        }
    }
    ::close(fd);
    return records;
}

}  // namespace stillroom
