#include "engine/run/failure.h"

#include "engine/base/error.h"
#include "engine/plugin/failures.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <system_error>

namespace stillroom {
namespace {

std::string with_place(const Position& where, const std::string& text) {
    return where.file.empty() ? text : where.text() + ": " + text;
}

/// What a machine can run out of, and what its disks can refuse.
bool is_resource(const std::error_code& code) {
    for (std::errc condition : {std::errc::no_space_on_device,
                                std::errc::file_too_large,
                                std::errc::io_error,
                                std::errc::read_only_file_system,
                                std::errc::too_many_files_open,
                                std::errc::too_many_files_open_in_system,
                                std::errc::not_enough_memory,
                                std::errc::resource_unavailable_try_again})
        if (code == condition)
            return true;
    return code == std::error_code(EDQUOT, std::generic_category());
}

/// "stillroom::toy::Odd", for an exception that only its type tells apart.
std::string type_name(const std::exception& error) {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> name(
        abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status), std::free);
    return status == 0 && name ? name.get() : typeid(error).name();
}

void take_internal(Record& result, const std::exception& error) {
    result.exit_code = kExitInternal;
    result.text = fmt::format("internal error: {}: {}", type_name(error), error.what());
}

void take_system(Record& result, const std::system_error& error, std::string_view path) {
    if (!is_resource(error.code())) {
        take_internal(result, error);
        return;
    }
    result.exit_code = kExitResource;
    result.text = path.empty() ? error.what()
                               : fmt::format("cannot use {}: {}", path, error.code().message());
}

}  // namespace

Record failed_result(const std::exception_ptr& failure) {
    Record result;
    result.event = "result";
    try {
        std::rethrow_exception(explained(failure));
    } catch (const Error& error) {
        result.exit_code = error.exit_code();
        result.text = with_place(error.where(), error.what());
        result.key = error.setting();
        result.hint = error.hint_text();
        for (const Error::Note& note : error.notes())
            result.list.push_back(with_place(note.where, note.text));
    } catch (const std::bad_alloc&) {
        result.exit_code = kExitResource;
        result.text = "out of memory";
    } catch (const std::filesystem::filesystem_error& error) {
        take_system(result, error, error.path1().native());
    } catch (const std::system_error& error) {
        take_system(result, error, {});
    } catch (const std::exception& error) {
        take_internal(result, error);
    } catch (...) {
        result.exit_code = kExitInternal;
        result.text = "internal error: an exception of no known kind";
    }
    // Exit 0 would make a failure of none.
    if (result.exit_code <= 0 || result.exit_code > 255)
        result.exit_code = kExitInternal;
    return result;
}

}  // namespace stillroom
