-- What a device that takes orders has been told of each (sync/told_orders.h): the message it took last, and the one it has not answered
-- yet. A row stays as long as the versions of its order.
CREATE TABLE told_order (
  uplink TEXT NOT NULL,
  service_request TEXT NOT NULL,
  messages INTEGER NOT NULL,  -- made for it so far
  taken_control TEXT NOT NULL DEFAULT '',  -- empty: none
  taken_number TEXT NOT NULL DEFAULT '',
  taken_patient TEXT NOT NULL DEFAULT '',
  taken_text TEXT NOT NULL DEFAULT '',
  open_control TEXT NOT NULL DEFAULT '',  -- empty: none
  open_control_id TEXT NOT NULL DEFAULT '',
  open_number TEXT NOT NULL DEFAULT '',
  open_patient TEXT NOT NULL DEFAULT '',
  open_text TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (uplink, service_request)
);
