-- The shop of streamd.toml: psql shop -f examples/postgres/shop.sql
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  amount numeric(9, 2) NOT NULL,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION tell_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('orders', NEW.id::text);
  RETURN NULL;
END $$;

CREATE TRIGGER tell_of_order AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tell_of_order();

INSERT INTO orders (amount) VALUES (3.50), (12.00), (7.25);
