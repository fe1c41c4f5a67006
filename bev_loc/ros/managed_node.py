"""A lifecycle node that hands its transitions to the object it belongs to."""

from typing import Protocol

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ..errors import BevLocError


class Stateful(Protocol):
    """Whoever has the four transitions. A BevLocError refuses the transition."""

    def configure(self) -> None: ...
    def activate(self) -> None: ...
    def deactivate(self) -> None: ...
    def cleanup(self) -> None: ...


class ManagedNode(LifecycleNode):
    """Passes transitions on to `owner`; `refusal` is the error that refused the last one."""

    def __init__(self, name: str, owner: Stateful) -> None:
        self.refusal: BevLocError | None = None
        self._owner = owner
        super().__init__(name, automatically_declare_parameters_from_overrides=True)

    def autostart(self) -> None:
        """Configure and activate; raises the BevLocError that refused it."""
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS and self.refusal is not None:
                raise self.refusal

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """unconfigured -> inactive"""
        return self._pass_on(self._owner.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """inactive -> active"""
        return self._pass_on(self._owner.activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """active -> inactive"""
        return self._pass_on(self._owner.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """inactive -> unconfigured"""
        return self._pass_on(self._owner.cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """any -> finalized"""
        self._pass_on(self._owner.deactivate)
        return self._pass_on(self._owner.cleanup)

    def _pass_on(self, transition) -> TransitionCallbackReturn:
        self.refusal = None
        try:
            transition()
        except BevLocError as error:
            self.refusal = error
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS
