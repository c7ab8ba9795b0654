from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, EmailStr, Field


class Invoice(BaseModel):
    order_id: int
    email: EmailStr
    amount: Annotated[Decimal, Field(ge=0)]
