"""Which api-versions the service takes, and its words for those it does not."""

from __future__ import annotations

from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.names import CONTAINER_SERVICE
from aks_wasm.emulator.arm.routing import Route, Versions


def _monthly(first: tuple[int, int], last: tuple[int, int]) -> tuple[str, ...]:
    months = range(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1])
    pairs = ((month // 12, month % 12 + 1) for month in months)
    return tuple(f"{year}-{month:02d}-{end}" for year, month in pairs for end in ("01", "02-preview"))


# SDK 41.8.0 asks for 2026-08-01, az 2.91.0 for 2026-06-01; the neighbours serve Terraform and older SDKs.
_AKS = _monthly((2023, 1), (2026, 8))
CLUSTERS = Versions(CONTAINER_SERVICE, "managedClusters", _AKS)
POOLS = Versions(CONTAINER_SERVICE, "managedClusters/agentPools", _AKS)
AKS_LOCATIONS = Versions(CONTAINER_SERVICE, "locations", _AKS)
RESOURCES = Versions(
    "",
    "",
    (
        *("2018-05-01", "2019-05-01", "2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01"),
        *("2022-09-01", "2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-03-01", "2025-04-01"),
    ),
)
SUBSCRIPTIONS = Versions(
    "", "", ("2016-06-01", "2018-06-01", "2019-11-01", "2020-01-01", "2021-01-01", "2021-10-01", "2022-12-01")
)
METADATA = Versions("", "", ("2015-01-01", "2019-05-01", "2020-06-01", "2022-09-01", "2023-11-01"))
FEATURES = Versions("Microsoft.Features", "features", ("2015-12-01", "2021-07-01"))
TAGS = Versions("Microsoft.Resources", "tags", RESOURCES.known)
LOCKS = Versions("Microsoft.Authorization", "locks", ("2015-01-01", "2016-09-01", "2017-04-01", "2020-05-01"))
PERMISSIONS = Versions("Microsoft.Authorization", "permissions", ("2015-07-01", "2018-07-01", "2022-04-01"))
SKUS = Versions("Microsoft.Compute", "skus", ("2017-09-01", "2019-04-01", "2021-07-01"))
USAGES = Versions(
    "Microsoft.Compute",
    "locations/usages",
    (
        *("2019-07-01", "2020-06-01", "2021-07-01", "2022-03-01", "2022-08-01", "2023-03-01", "2023-07-01"),
        *("2023-09-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2025-11-01", "2026-04-01"),
    ),
)
SIGNED = Versions("", "", ())  # operation URLs: the signature covers the version


def check(route: Route, version: str | None, location: str | None) -> None:
    """Refuse a request without a known api-version.

    Args:
        route: What is asked for.
        version: The query's api-version.
        location: The body's location, which one of the texts names.

    Raises:
        GatewayError: It is missing, or not one of the route's.
    """
    kind = route.versions
    if not kind.known:
        return
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise GatewayError(400, "MissingApiVersionParameter", message)
    if version in kind.known:
        return
    if not kind.namespace:
        known = ",".join(reversed(kind.known))
        message = f"The api-version '{version}' is invalid. The supported versions are '{known}'."
        raise GatewayError(400, "InvalidApiVersionParameter", message)
    if location:
        raise no_provider(kind, version, location)
    message = (
        f"The resource type '{kind.kind}' could not be found in the namespace '{kind.namespace}' "
        f"for api version '{version}'. The supported api-versions are '{','.join(reversed(kind.known))}'."
    )
    raise GatewayError(404, "InvalidResourceType", message)


def no_provider(kind: Versions, version: str, location: str, locations: tuple[str, ...] = ()) -> GatewayError:
    """Return the answer to a location or an api-version that the provider does not have."""
    message = (
        f"No registered resource provider found for location '{location}' and API version '{version}' "
        f"for type '{kind.kind}'. The supported api-versions are '{', '.join(reversed(kind.known))}'."
    )
    if locations:
        message += f" The supported locations are '{', '.join(locations)}'."
    return GatewayError(400, "NoRegisteredProviderFound", message)
