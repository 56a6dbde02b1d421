"""What the main job proves, asked from the peers themselves and not from the gateway.

`Evidence.judge()` gathers the counts of the demo's closing line and a list of `failures`: empty means proven.
"""

from . import compare, plaintext

_SHOWN = 5


class Evidence:
    def __init__(self):
        self.kills = 0
        self.outage_s = 0.0
        self.orders_missed, self.plaintext_hits, self.failures = [], [], []

    def search_plaintext(self, needles, folder):
        self.plaintext_hits += plaintext.find(needles, [folder])

    def saw_worklist(self, when, expected, answered):
        """Note which of the expected accession numbers a worklist answer lacked."""
        self.orders_missed += [f"{one} {when}" for one in sorted(set(expected) - set(answered))]

    def require(self, kills, outage_s):
        """What must have happened for the rest to prove anything."""
        if self.kills < kills:
            self.failures.append(f"{self.kills} kills, {kills} wanted")
        if self.outage_s < outage_s:
            self.failures.append(f"an outage of {self.outage_s:.1f} s, {outage_s} s wanted")

    def judge(self, instances, succeeded, hospital, orders_on_worklist):
        sent = [one for one in instances if one.sop_uid in succeeded]
        held, receipts = hospital.pacs.instances(), hospital.pacs.receipts()
        delivered = [one for one in sent if one.sop_uid in held]
        differences = [text for one in delivered for text in _differences(one, held, hospital.pacs)]
        repeated = {
            one.path.name: max(receipts[one.sop_uid], len(held[one.sop_uid])) - 1
            for one in delivered
        }
        studies = {uid: len(hospital.his.imaging_studies(uid)) for uid in {one.study_uid for one in sent}}
        lost = [one.path.name for one in sent if one.sop_uid not in held]
        duplicates = {name: count for name, count in repeated.items() if count}

        self._fail_if("instances never got a success", [one.path.name for one in instances if one not in sent])
        self._fail_if("acknowledged instances are not at the PACS", lost)
        self._fail_if("instances changed on the way", differences)
        self._fail_if("instances arrived at the PACS more than once", list(duplicates.items()))
        self._fail_if(
            "studies without exactly one ImagingStudy", [item for item in studies.items() if item[1] != 1]
        )
        self._fail_if("orders missing on the worklist", self.orders_missed)
        self._fail_if("patient data in plaintext", self.plaintext_hits)
        return {
            "instances_sent": len(sent),
            "instances_delivered": len(delivered),
            "identical": len(delivered) - len(differences),
            "duplicates": sum(duplicates.values()),
            "lost": len(lost),
            "orders_on_worklist": orders_on_worklist,
            "outage_s": round(self.outage_s, 1),
            "kills": self.kills,
            "imaging_studies": sum(count == 1 for count in studies.values()),
            "studies": len(studies),
            "plaintext_hits": len(self.plaintext_hits),
            "failures": self.failures,
        }

    def _fail_if(self, what, found):
        if found:
            shown = "; ".join(str(one) for one in found[:_SHOWN])
            self.failures.append(f"{len(found)} {what}: {shown}")


def _differences(instance, held, pacs):
    difference = compare.difference(instance.path, pacs.stored_file(held[instance.sop_uid][0]))
    return [f"{instance.path.name}: {difference}"] if difference else []
