#include "engine/run/board.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/random.h"
#include "engine/document/document.h"

#include <fmt/format.h>

#include <charconv>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;
constexpr std::size_t kMostNodes = 1'000'000;

NodePtr read_note(const fs::path& file) {
    std::string text;
    try {
        text = read_file(file, kMostBytes);
    } catch (const Error&) {
        return nullptr;
    }
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.file_bytes = kMostBytes;
    limits.nodes = kMostNodes;
    Document document = read_json(sources.add(file.string(), std::move(text)), limits, diagnostics);
    return diagnostics.ok() && document.root && document.root->is_map() ? document.root : nullptr;
}

std::string text_of(const Node& map, std::string_view key) {
    NodePtr value = map.get(key);
    return value && value->kind == Kind::string ? value->text : "";
}

template <class T>
T number_of(const Node& map, std::string_view key) {
    NodePtr value = map.get(key);
    T number = 0;
    if (value && value->kind == Kind::integer)
        std::from_chars(value->text.data(), value->text.data() + value->text.size(), number);
    return number;
}

bool truth_of(const Node& map, std::string_view key) {
    NodePtr value = map.get(key);
    return value && value->kind == Kind::boolean && value->text == "true";
}

/// The maps of a list.
std::vector<NodePtr> maps_of(const Node& map, std::string_view key) {
    std::vector<NodePtr> maps;
    if (NodePtr list = map.get(key))
        for (const NodePtr& item : list->items)
            if (item->is_map())
                maps.push_back(item);
    return maps;
}

void write(JsonWriter& out, std::string_view key, std::string_view text) {
    out.key(key);
    out.string(text);
}

void write(JsonWriter& out, std::string_view key, std::uint64_t number) {
    out.key(key);
    out.integer(static_cast<std::int64_t>(number));
}

std::uint64_t milliseconds(double seconds) {
    return static_cast<std::uint64_t>(seconds * 1000);
}

void write_truth(JsonWriter& out, std::string_view key, bool value) {
    out.key(key);
    out.boolean(value);
}

void write_order(JsonWriter& out, const Order& order) {
    out.begin_object();
    write(out, "id", order.id);
    write(out, "rank", static_cast<std::uint64_t>(order.rank));
    out.key("words");
    out.begin_array();
    for (const std::string& word : order.words)
        out.string(word);
    out.end_array();
    write(out, "output", order.output);
    write(out, "signals", static_cast<std::uint64_t>(order.signals));
    write(out, "signal", static_cast<std::uint64_t>(order.signal));
    out.end_object();
}

Order read_order(const Node& map) {
    Order order;
    order.id = number_of<std::uint64_t>(map, "id");
    order.rank = number_of<int>(map, "rank");
    if (NodePtr words = map.get("words"))
        for (const NodePtr& word : words->items)
            order.words.push_back(word->text);
    order.output = text_of(map, "output");
    order.signals = number_of<int>(map, "signals");
    order.signal = number_of<int>(map, "signal");
    return order;
}

void write_state(JsonWriter& out, const OrderState& state) {
    out.begin_object();
    write(out, "id", state.id);
    write_truth(out, "ended", state.ended);
    write(out, "status", static_cast<std::uint64_t>(state.status));
    write(out, "signal", static_cast<std::uint64_t>(state.signal));
    write(out, "peak", state.peak);
    write(out, "time", state.time);
    write(out, "error", state.error);
    out.end_object();
}

OrderState read_state(const Node& map) {
    OrderState state;
    state.id = number_of<std::uint64_t>(map, "id");
    state.ended = truth_of(map, "ended");
    state.status = number_of<int>(map, "status");
    state.signal = number_of<int>(map, "signal");
    state.peak = number_of<std::uint64_t>(map, "peak");
    state.time = text_of(map, "time");
    state.error = text_of(map, "error");
    return state;
}

}  // namespace

std::string note_text(const EngineNote& note) {
    JsonWriter out;
    out.begin_object();
    write(out, "nonce", note.nonce);
    write(out, "beat", note.beat);
    out.key("members");
    out.begin_object();
    for (const auto& [rank, nonce] : note.members)
        write(out, std::to_string(rank), nonce);
    out.end_object();
    out.key("orders");
    out.begin_array();
    for (const Order& order : note.orders)
        write_order(out, order);
    out.end_array();
    write_truth(out, "ended", note.ended);
    write(out, "exit", static_cast<std::uint64_t>(note.exit_code));
    write(out, "message", note.message);
    write(out, "host", note.host);
    write(out, "pid", static_cast<std::uint64_t>(note.pid));
    write(out, "timeout_ms", milliseconds(note.timeout));
    write(out, "beat_ms", milliseconds(note.beat_seconds));
    out.end_object();
    return out.take() + "\n";
}

std::string note_text(const AgentNote& note) {
    JsonWriter out;
    out.begin_object();
    write(out, "nonce", note.nonce);
    write(out, "host", note.host);
    write(out, "pid", static_cast<std::uint64_t>(note.pid));
    write(out, "beat", note.beat);
    write(out, "seen", note.seen);
    write_truth(out, "left", note.left);
    out.key("orders");
    out.begin_array();
    for (const OrderState& state : note.orders)
        write_state(out, state);
    out.end_array();
    write(out, "program", note.identity.program);
    write(out, "recipe", note.identity.recipe);
    out.end_object();
    return out.take() + "\n";
}

std::optional<EngineNote> read_engine_note(const fs::path& file) {
    NodePtr root = read_note(file);
    if (!root)
        return std::nullopt;
    EngineNote note;
    note.nonce = text_of(*root, "nonce");
    note.beat = number_of<std::uint64_t>(*root, "beat");
    if (NodePtr members = root->get("members"))
        for (const Entry& entry : members->entries) {
            int rank = 0;
            std::from_chars(entry.key.data(), entry.key.data() + entry.key.size(), rank);
            note.members[rank] = entry.value->text;
        }
    for (const NodePtr& order : maps_of(*root, "orders"))
        note.orders.push_back(read_order(*order));
    note.ended = truth_of(*root, "ended");
    note.exit_code = number_of<int>(*root, "exit");
    note.message = text_of(*root, "message");
    note.host = text_of(*root, "host");
    note.pid = number_of<long>(*root, "pid");
    note.timeout = number_of<double>(*root, "timeout_ms") / 1000;
    note.beat_seconds = number_of<double>(*root, "beat_ms") / 1000;
    return note;
}

std::optional<AgentNote> read_agent_note(const fs::path& file) {
    NodePtr root = read_note(file);
    if (!root)
        return std::nullopt;
    AgentNote note;
    note.nonce = text_of(*root, "nonce");
    note.host = text_of(*root, "host");
    note.pid = number_of<long>(*root, "pid");
    note.beat = number_of<std::uint64_t>(*root, "beat");
    note.seen = text_of(*root, "seen");
    note.left = truth_of(*root, "left");
    for (const NodePtr& state : maps_of(*root, "orders"))
        note.orders.push_back(read_state(*state));
    note.identity = {text_of(*root, "program"), text_of(*root, "recipe")};
    return note;
}

fs::path engine_note_file(const fs::path& folder) {
    return folder / "engine.json";
}

fs::path agent_note_file(const fs::path& folder, int rank) {
    return folder / fmt::format("rank-{:04}.json", rank);
}

std::string draw_nonce() {
    return random_name(16);
}

}  // namespace stillroom
