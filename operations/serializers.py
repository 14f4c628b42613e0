"""The shapes of the API of operating figures."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers

from billing.fields import MomentField
from operations import series
from operations.forecasts import HORIZON_MAX, METRICS
from operations.instances import STATES
from shop.core.bodies import Body
from shop.core.times import iso

_FIGURE = "`null` where nothing was observed."


class InstanceSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField(
        help_text="`web`, `live`, `relay`, `worker`, `beat` or `follower`."
    )
    host = serializers.CharField()
    version = serializers.CharField(help_text="`APPLICATION_VERSION` of the process.")
    settings_version = serializers.IntegerField(
        allow_null=True, help_text="The version of the settings that are in force in it."
    )
    started_at = MomentField()
    seen_at = MomentField(help_text="When it reported last, by the database's clock.")
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="`late` after 12 seconds without a report, `gone` after 30 or when it ended.",
    )
    sockets = serializers.IntegerField()
    memory = serializers.IntegerField(help_text="Bytes.")
    dropped = serializers.IntegerField(
        help_text="Requests that it could not keep for the figures while PostgreSQL was away."
    )


class NowQuerySerializer(serializers.Serializer[Any]):
    minutes = serializers.IntegerField(
        default=15,
        min_value=1,
        max_value=1440,
        help_text="Over how long sign-ins, sign-outs and active users are counted.",
    )


FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2970, 1, 1, tzinfo=UTC)


class SeriesQuerySerializer(serializers.Serializer[Any]):
    metric = serializers.ChoiceField(choices=list(series.METRICS), default="requests_per_second")
    since = MomentField(
        required=False, help_text="The first moment; an hour before `until` unless given."
    )
    until = MomentField(required=False, help_text="The moment after the last; now unless given.")
    step = serializers.IntegerField(
        default=60,
        min_value=60,
        max_value=7 * 86_400,
        help_text="Seconds, a multiple of 60. The points begin with `since`, cut to the minute.",
    )
    route = serializers.CharField(
        required=False,
        max_length=200,
        help_text="Such as `api/v1/purchases/`, for figures of requests.",
    )

    def validate_step(self, step: int) -> int:
        if step % series.MINUTE:
            raise serializers.ValidationError("The step is a multiple of 60.")
        return step

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        step, now = given["step"], series.database_now()
        for name in ("since", "until"):
            if name in given and not FIRST <= given[name] <= LAST:
                raise serializers.ValidationError({name: "There are no figures of that time."})
        until: datetime = given.get("until") or now
        since: datetime = given.get("since") or until - max(
            timedelta(hours=1), timedelta(seconds=60 * step)
        )
        unit = series.HOUR if step % series.HOUR == 0 else series.MINUTE
        since = datetime.fromtimestamp(since.timestamp() // unit * unit, tz=now.tzinfo)
        if since >= until:
            raise serializers.ValidationError({"until": "It is not after since."})
        if given.get("route") is not None and not series.METRICS[given["metric"]].of_requests:
            raise serializers.ValidationError({"route": "This metric has no routes."})
        return {**given, "since": since, "until": until}


class ResponseTimeSerializer(serializers.Serializer[Any]):
    p50 = serializers.FloatField(allow_null=True, help_text="Seconds.")
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class UsersSerializer(serializers.Serializer[Any]):
    connected = serializers.IntegerField(help_text="Accounts with a socket, each counted once.")
    sockets = serializers.IntegerField()
    active = serializers.IntegerField(help_text="Accounts seen during `minutes`.")


class PredictedSerializer(serializers.Serializer[Any]):
    mean = serializers.FloatField()
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    level = serializers.IntegerField(help_text="Percent of such counts that the interval holds.")


class PredictionsSerializer(serializers.Serializer[Any]):
    signed_in = PredictedSerializer()
    signed_out = PredictedSerializer()


class TurnoverSerializer(serializers.Serializer[Any]):
    minutes = serializers.IntegerField()
    signed_in = serializers.IntegerField()
    signed_out = serializers.IntegerField()
    expired = serializers.IntegerField()
    predicted = PredictionsSerializer(allow_null=True)
    verdict = serializers.ChoiceField(
        choices=["as_expected", "more", "fewer", "unknown"], help_text="Of the sign-ins."
    )


class MissingSerializer(serializers.Serializer[Any]):
    instance = serializers.UUIDField()
    kind = serializers.CharField()
    reason = serializers.ChoiceField(choices=["late", "killed", "dropped"])
    requests = serializers.IntegerField(allow_null=True, help_text="How many were dropped.")


class NowSerializer(serializers.Serializer[Any]):
    at = MomentField()
    requests_per_second = serializers.FloatField(allow_null=True, help_text=_FIGURE)
    errors_per_second = serializers.FloatField(
        allow_null=True, help_text="Answers with a status of 500 or more."
    )
    response_time = ResponseTimeSerializer()
    purchases_per_second = serializers.FloatField(help_text="Recorded during the last minute.")
    users = UsersSerializer()
    instances = serializers.DictField(child=serializers.IntegerField())
    turnover = TurnoverSerializer()
    missing = MissingSerializer(many=True, help_text="Whose figures are incomplete.")


class PointSerializer(serializers.Serializer[Any]):
    at = MomentField()
    value = serializers.FloatField(allow_null=True, help_text=_FIGURE)
    partial = serializers.BooleanField(  # type: ignore[assignment]
        required=False, help_text="The step goes on."
    )
    requests = serializers.IntegerField(required=False)
    p50 = serializers.FloatField(required=False, allow_null=True)
    p95 = serializers.FloatField(required=False, allow_null=True)
    p99 = serializers.FloatField(required=False, allow_null=True)

    def to_representation(self, point: Any) -> dict[str, Any]:
        return {"at": iso(point.at), "value": point.value,
                **point.more}  # fmt: skip


class DeploySerializer(Body):
    id = serializers.UUIDField(read_only=True)
    version = serializers.CharField(max_length=100)
    started_at = MomentField(required=False, help_text="When it began to serve; now unless given.")
    finished_at = MomentField(required=False, allow_null=True)
    by = serializers.CharField(read_only=True)
    notes = serializers.CharField(required=False, allow_blank=True, max_length=2000)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        began, ended = given.get("started_at"), given.get("finished_at")
        if ended is not None and (began is None or ended < began):
            raise serializers.ValidationError({"finished_at": "It is not after started_at."})
        if began is not None and began > series.database_now() + timedelta(minutes=5):
            raise serializers.ValidationError({"started_at": "It is not past yet."})
        return given


class SeriesSerializer(serializers.Serializer[Any]):
    metric = serializers.CharField()
    unit = serializers.CharField()
    step = serializers.IntegerField(help_text="Seconds.")
    points = PointSerializer(many=True)
    deploys = DeploySerializer(many=True)


class EffectQuerySerializer(serializers.Serializer[Any]):
    window = serializers.IntegerField(
        default=3600, min_value=600, max_value=86_400, help_text="Seconds before and after."
    )


class MetricEffectSerializer(serializers.Serializer[Any]):
    before = serializers.FloatField(allow_null=True)
    after = serializers.FloatField(allow_null=True)
    week_before = serializers.FloatField(
        allow_null=True, help_text="In the same minutes as `after`, a week earlier."
    )
    ratio = serializers.FloatField(
        allow_null=True, help_text="After to before, less what the week before did by itself."
    )
    low = serializers.FloatField(allow_null=True, help_text="The interval of 99.5 % of the ratio.")
    high = serializers.FloatField(allow_null=True)
    verdict = serializers.ChoiceField(
        choices=["worse", "better", "no_evidence", "not_enough_requests"]
    )


class EffectSerializer(serializers.Serializer[Any]):
    deploy = serializers.UUIDField()
    window = serializers.IntegerField(help_text="Seconds.")
    complete = serializers.BooleanField(help_text="Whether the whole window has passed.")
    metrics = serializers.DictField(child=MetricEffectSerializer())


class ForecastQuerySerializer(serializers.Serializer[Any]):
    metric = serializers.ChoiceField(choices=list(METRICS), default="requests_per_second")
    horizon = serializers.IntegerField(
        default=24, min_value=1, max_value=HORIZON_MAX, help_text="Hours."
    )


class ForecastPointSerializer(serializers.Serializer[Any]):
    at = MomentField(help_text="The begin of the hour.")
    mean = serializers.FloatField()
    low80 = serializers.FloatField()
    high80 = serializers.FloatField()
    low95 = serializers.FloatField()
    high95 = serializers.FloatField()


class BacktestSerializer(serializers.Serializer[Any]):
    origins = serializers.IntegerField(help_text="How many past days were forecast again.")
    mae = serializers.FloatField()
    baseline = serializers.CharField()
    baseline_mae = serializers.FloatField()
    skill = serializers.FloatField(help_text="1 - mae / baseline_mae; never negative.")
    coverage80 = serializers.FloatField(allow_null=True)
    coverage95 = serializers.FloatField(allow_null=True)


class ForecastSerializer(serializers.Serializer[Any]):
    metric = serializers.CharField()
    made_at = MomentField()
    model = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=["ok", "not_enough_history", "no_better_than_naive"])
    days_missing = serializers.IntegerField()
    points = ForecastPointSerializer(many=True)
    backtest = BacktestSerializer(allow_null=True)
