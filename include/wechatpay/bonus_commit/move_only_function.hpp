/// A function object that need not be copyable, like C++23's std::move_only_function.
#ifndef WECHATPAY_BONUS_COMMIT_MOVE_ONLY_FUNCTION_HPP
#define WECHATPAY_BONUS_COMMIT_MOVE_ONLY_FUNCTION_HPP

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "wechatpay/bonus_commit/config.hpp"

WECHATPAY_BONUS_COMMIT_BEGIN

template <typename Signature>
class MoveOnlyFunction;

/// Holds anything that can be called with `Arguments`: a lambda that owns a std::unique_ptr, a function, a
/// std::function. Do not call an empty one. Creating one from a callable allocates memory, and throws std::bad_alloc if
/// there is none.
template <typename Returned, typename... Arguments>
class MoveOnlyFunction<Returned(Arguments...)> {
 public:
  /// Empty.
  /// @{
  MoveOnlyFunction() noexcept = default;
  MoveOnlyFunction(std::nullptr_t) noexcept {}  // implicit, as in std::function
  /// @}

  /// Takes `callable`. Empty if that is a null pointer or an empty function object of the standard library.
  template <typename Callable, typename Held = std::decay_t<Callable>,
            typename = std::enable_if_t<!std::is_same_v<Held, MoveOnlyFunction> &&
                                        std::is_invocable_r_v<Returned, Held&, Arguments...>>>
  MoveOnlyFunction(Callable&& callable) {  // implicit, as in std::function
    if (is_null(callable)) return;
    held_ = {new Held(std::forward<Callable>(callable)), [](void* held) { delete static_cast<Held*>(held); }};
    call_ = [](void* held, Arguments&&... arguments) -> Returned {
      return static_cast<Returned>(std::invoke(*static_cast<Held*>(held), std::forward<Arguments>(arguments)...));
    };
  }

  /// Whether it holds a callable.
  explicit operator bool() const noexcept { return held_ != nullptr; }

  /// Calls the callable.
  Returned operator()(Arguments... arguments) { return call_(held_.get(), std::forward<Arguments>(arguments)...); }

 private:
  template <typename Callable>
  static bool is_null(const Callable&) noexcept {
    return false;
  }
  template <typename Pointee>
  static bool is_null(Pointee* const& pointer) noexcept {
    return pointer == nullptr;
  }
  template <typename Signature>
  static bool is_null(const std::function<Signature>& function) noexcept {
    return !function;
  }

  template <typename Signature>
  static bool is_null(const MoveOnlyFunction<Signature>& function) noexcept {
    return !function;
  }
  template <typename Member, typename Class>
  static bool is_null(Member Class::*const& pointer) noexcept {
    return pointer == nullptr;
  }
#if defined(__cpp_lib_move_only_function)
  template <typename... Signature>
  static bool is_null(const std::move_only_function<Signature...>& function) noexcept {
    return !function;
  }
#endif

  std::unique_ptr<void, void (*)(void*)> held_{nullptr, [](void*) {}};
  Returned (*call_)(void*, Arguments&&...) = nullptr;
};

WECHATPAY_BONUS_COMMIT_END

#endif
