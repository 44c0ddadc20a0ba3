"""What a toll-free verification request holds: TFVerificationRequest."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from volley.sandbox.bodies import Body

_USE_CASES = frozenset((Path(__file__).parent / "use_cases.txt").read_text("utf-8").splitlines())
_VOLUMES = (
    *("10", "100", "1,000", "10,000", "100,000", "250,000", "500,000", "750,000", "1,000,000", "5,000,000"),
    "10,000,000+",
)


def _known_use_case(name: str) -> str:
    if name not in _USE_CASES:
        raise PydanticCustomError("10032", "is not one of the use cases that there are")
    return name


def _known_volume(name: str) -> str:
    if name not in _VOLUMES:
        raise PydanticCustomError("10032", "is not one of the volumes that there are")
    return name


Words = Annotated[str, Field(max_length=500)]


class _Phone(Body):
    phoneNumber: str


class _Image(Body):
    url: str = Field(min_length=1, max_length=2083)


class VerificationBody(Body):
    """Names are Telnyx's."""

    businessName: Words
    corporateWebsite: Words
    businessAddr1: Words
    businessAddr2: Words | None = None
    businessCity: Words
    businessState: Words
    businessZip: Words
    businessContactFirstName: Words
    businessContactLastName: Words
    businessContactEmail: Words
    businessContactPhone: Words
    messageVolume: Annotated[str, AfterValidator(_known_volume)]
    phoneNumbers: tuple[_Phone, ...] = Field(min_length=1)
    useCase: Annotated[str, AfterValidator(_known_use_case)]
    useCaseSummary: Words
    productionMessageContent: str = Field(max_length=1000)
    optInWorkflow: Words
    optInWorkflowImageURLs: tuple[_Image, ...] = Field(min_length=1)
    additionalInformation: Words
    isvReseller: Words | None = None
    webhookUrl: Words | None = None
    businessRegistrationNumber: Words | None = None
    businessRegistrationType: Words | None = None
    businessRegistrationCountry: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    doingBusinessAs: Words | None = None
    entityType: Literal["SOLE_PROPRIETOR", "PRIVATE_PROFIT", "PUBLIC_PROFIT", "NON_PROFIT", "GOVERNMENT"] | None = None
    optInConfirmationResponse: Words | None = None
    helpMessageResponse: Words | None = None
    privacyPolicyURL: Words | None = None
    termsAndConditionURL: Words | None = None
    ageGatedContent: bool = False
    optInKeywords: Words | None = None
    campaignVerifyAuthorizationToken: Words | None = None
