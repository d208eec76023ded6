"""The 18 raw tables: their columns in the contract's order, and the types of the Parquet mode."""

from __future__ import annotations

import pyarrow as pa

TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "time": pa.timestamp("us"),
    "date": pa.date32(),
    "int": pa.int32(),
    "bool": pa.bool_(),
    "money": pa.decimal128(18, 2),
    "price": pa.decimal128(18, 4),
    "rate": pa.decimal128(18, 6),
}

# "name" is text; "name:type" is any other type.
_COLUMNS: dict[str, str] = {
    "customers": "customer_id email created_at:time birth_date:date gender country region city "
    "postcode language marketing_opt_in:bool signup_source referred_by_customer_id",
    "products": "product_id name category subcategory brand list_price:money unit_cost:price "
    "currency is_subscription:bool launched_at:time",
    "orders": "order_id ordered_at:time customer_id status currency shipping_amount:money "
    "tax_amount:money discount_amount:money promo_code payment_method delivery_promised_at:time "
    "delivered_at:time anonymous_id device country",
    "order_items": "order_id line_number:int product_id quantity:int unit_price:price "
    "discount_amount:money unit_cost:price",
    "refunds": "refund_id order_id line_number:int quantity:int amount:money reason "
    "refunded_at:time",
    "payments": "payment_id order_id amount:money method status paid_at:time",
    "promotions": "promo_code kind value:money starts_at:time ends_at:time campaign",
    "events": "event_id event_at:time anonymous_id event_name customer_id received_at:time "
    "page_url page_type product_id quantity:int value:money order_id device browser country "
    "referrer utm_source utm_medium utm_campaign utm_content page_load_ms:int engaged_ms:int "
    "is_bot:bool",
    "ad_spend": "spend_date:date utm_source utm_medium utm_campaign spend:money currency "
    "impressions:int clicks:int",
    "messages": "message_id customer_id channel kind campaign sent_at:time opened_at:time "
    "clicked_at:time unsubscribed_at:time cost:price",
    "experiments": "experiment_id variant anonymous_id exposed_at:time is_control:bool",
    "nps_responses": "response_id customer_id responded_at:time score:int comment",
    "reviews": "review_id product_id customer_id order_id rating:int reviewed_at:time",
    "support_tickets": "ticket_id customer_id order_id channel topic opened_at:time "
    "first_response_at:time resolved_at:time satisfaction:int",
    "referrals": "referral_id referrer_customer_id referee_customer_id invited_at:time "
    "signed_up_at:time first_order_at:time reward_amount:money",
    "loyalty_entries": "entry_id customer_id points:int reason order_id entered_at:time",
    "subscriptions": "subscription_id customer_id product_id started_at:time ended_at:time "
    "interval_months:int price:money currency status",
    "fx_rates": "rate_date:date currency rate:rate",
}


def _schema(columns: str) -> pa.Schema:
    pairs = [column.partition(":") for column in columns.split()]
    return pa.schema([(name, TYPES[kind or "text"]) for name, _, kind in pairs])


TABLES: dict[str, pa.Schema] = {name: _schema(columns) for name, columns in _COLUMNS.items()}

# What makes a row of a table one row.
KEYS: dict[str, tuple[str, ...]] = {
    "order_items": ("order_id", "line_number"),
    "ad_spend": ("spend_date", "utm_source", "utm_medium", "utm_campaign"),
    "experiments": ("experiment_id", "anonymous_id"),
    "fx_rates": ("rate_date", "currency"),
} | {
    name: (schema.names[0],)
    for name, schema in TABLES.items()
    if name not in ("order_items", "ad_spend", "experiments", "fx_rates")
}


def build(name: str, /, **columns: pa.Array) -> pa.Table:
    """A table of the contract: columns in order, absent ones NULL, types cast to the contract's."""
    schema = TABLES[name]
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise KeyError(f"{name} has no column {sorted(unknown)}")
    size = len(next(iter(columns.values())))
    arrays = []
    for field in schema:
        array = columns.get(field.name)
        arrays.append(pa.nulls(size, field.type) if array is None else array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
