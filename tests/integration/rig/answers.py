"""What an administrator answers `clinic-gateway setup --from` with: PACS, broker and a first modality; `secrets` is the folder of the
password files.
"""

SITE = """\
[site]
name = "clinic-07"
timezone = "Africa/Blantyre"
[dicom]
port = {dicom_port}
ae_title = "{aet}"
patient_id_issuer = "urn:oid:2.25.1234"
[dicom.peer.ct-room-1]
ae_title = "MODALITY"
[uplink.pacs]
kind = "stow"
url = "https://127.0.0.1:{pacs_port}/dicom-web"
ca_file = "{ca}"
username = "{pacs_user}"
password_file = "{secrets}/pacs.password"
[mqtt]
host = "127.0.0.1"
port = {mqtt_port}
ca_file = "{ca}"
username = "{mqtt_user}"
password_file = "{secrets}/mqtt.password"
"""
