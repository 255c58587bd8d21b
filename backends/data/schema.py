"""The tables, and the version that a database file is marked with."""

from __future__ import annotations

__all__ = ["SCHEMA", "SCHEMA_VERSION"]

SCHEMA_VERSION = 1

# `number` gives the order of creation and the keyset of pages; the id that callers see
# is a letter and that number. Times are whole seconds since 1970 in UTC.
SCHEMA = """
CREATE TABLE users (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  phone TEXT,
  bio TEXT,
  street TEXT NOT NULL,
  city TEXT NOT NULL,
  postal_code TEXT NOT NULL,
  country TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE products (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('physical', 'digital')),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  category TEXT NOT NULL,
  price_cents INTEGER NOT NULL CHECK (price_cents > 0),
  currency TEXT NOT NULL,
  rating REAL,
  tags TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  stock INTEGER,
  weight_grams INTEGER,
  download_url TEXT,
  size_bytes INTEGER,
  CHECK ((kind = 'physical') = (stock IS NOT NULL AND weight_grams IS NOT NULL)),
  CHECK ((kind = 'digital') = (download_url IS NOT NULL AND size_bytes IS NOT NULL))
) STRICT;
CREATE INDEX products_by_category ON products (category, number);

CREATE TABLE orders (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id),
  status TEXT NOT NULL
    CHECK (status IN ('pending', 'paid', 'shipped', 'delivered', 'cancelled')),
  currency TEXT NOT NULL,
  note TEXT,
  created_at INTEGER NOT NULL,
  delivered_at INTEGER
) STRICT;
CREATE INDEX orders_by_user ON orders (user_id, number);

CREATE TABLE order_items (
  order_id TEXT NOT NULL REFERENCES orders (id),
  position INTEGER NOT NULL,
  product_id TEXT NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  unit_price_cents INTEGER NOT NULL,
  PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE notifications (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id),
  kind TEXT NOT NULL CHECK (kind IN ('order', 'delivery', 'promotion', 'account')),
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  order_id TEXT,
  read INTEGER NOT NULL CHECK (read IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notifications_by_user ON notifications (user_id, number);
"""
